import type { EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import { healthLine, verdictOf } from '#domain/health-words.ts';
import type { Line } from '#domain/messages.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'The verdict on everything in one line, then the bot itself.',
  examples: [''],
  args: none,
  role: 'viewer',
  needs: ['health', 'switches'],
  wants: ['backups', 'incidents', 'queues', 'safeMode'],
  async answer(_args, { health, switches, backups, incidents, queues, safeMode }) {
    // A store that doesn't answer must not take the rest of the status with it.
    const sets = await backups?.list().catch(() => 'unknown' as const);
    const byAge = sets === 'unknown' ? [] : (sets ?? []).toSorted((a, b) => b.manifest.sequence - a.manifest.sequence);
    return {
      findings: health.findings(),
      paused: switches.paused(),
      closed: safeMode?.closed(),
      queues: queues?.depth(),
      backup:
        sets === undefined || sets === 'unknown'
          ? sets
          : {
              completeAt: byAge[0]?.manifest.endedAt,
              verifiedAt: byAge.find((set) => set.verification?.ok)?.manifest.endedAt,
            },
      onDuty: incidents?.onDuty(),
      alerts: incidents?.list({ open: true }),
    };
  },
  view({ findings, paused, closed, queues, backup, onDuty, alerts }, _args, { bot, clock }) {
    const now = clock.now();
    const open = alerts?.length;
    const critical = (alerts ?? []).filter(({ severity }) => severity === 'critical').length;
    const alarm = critical === 0 ? '' : `${critical} critical ${critical === 1 ? 'alert' : 'alerts'} open. `;
    const rows: Array<[string, Line]> = [
      ['Bot', `${bot.version}, up ${formatDuration(now - bot.startedAt)}`],
      [
        'Changes',
        closed
          ? `refused, safe mode for ${formatDuration(now - closed.since)}: ${closed.why}. ${closed.hint}`
          : paused
            ? ['paused by ', { user: paused.by }, ` for ${formatDuration(now - paused.since)}: ${paused.reason}`]
            : 'allowed',
      ],
    ];
    if (queues) rows.push(['Waiting', waiting(queues)]);
    if (backup !== undefined)
      rows.push(['Last backup', backup === 'unknown' ? 'unknown: the store does not answer' : lastBackup(backup, now)]);
    if (open !== undefined) rows.push(['Incidents', open === 0 ? 'none open' : `${open} open`]);
    if (onDuty)
      rows.push([
        'On call',
        onDuty.length === 0
          ? 'nobody, so pages go to every owner'
          : onDuty.flatMap(({ layer, user }, index): Line[] => [`${index > 0 ? ', ' : ''}${layer}: `, { user }]).flat(),
      ]);
    if (bot.off.length > 0) rows.push(['Off', bot.off.map(({ part }) => part).join(', ')]);
    return {
      title:
        (closed ? 'Safe mode: nothing is changed. ' : '') +
        alarm +
        healthLine(findings, alarm === '' ? 'All well' : 'Otherwise well'),
      verdict: closed || critical > 0 ? 'critical' : verdictOf(findings),
      blocks: [{ kind: 'list', items: rows.map(([what, line]): Line => [{ bold: `${what}: ` }, line].flat()) }],
      offers: [
        { text: 'Every reading', command: 'health' },
        ...(open ? [{ text: 'The open incidents', command: 'alerts' }] : []),
      ],
    };
  },
});

function waiting({
  inbox,
  outbox,
  oldestOutboxMs,
}: {
  inbox: number;
  outbox: number;
  oldestOutboxMs: number | undefined;
}): string {
  // The one that is being answered is taken, not waiting.
  const others = Math.max(0, inbox - 1);
  if (others === 0 && outbox === 0) return 'nothing';
  const oldest = outbox > 0 && oldestOutboxMs !== undefined ? ` (oldest ${formatDuration(oldestOutboxMs)})` : '';
  return `${others} to handle, ${outbox} to send${oldest}`;
}

function lastBackup(
  { completeAt, verifiedAt }: { completeAt: EpochMs | undefined; verifiedAt: EpochMs | undefined },
  now: EpochMs,
): string {
  if (completeAt === undefined) return 'none yet';
  const proof = verifiedAt === undefined ? 'none verified' : `last verified ${formatDuration(now - verifiedAt)} ago`;
  return `${formatDuration(now - completeAt)} ago, ${completeAt === verifiedAt ? 'verified' : proof}`;
}
