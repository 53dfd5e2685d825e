import type { BackupStore } from '#domain/backups.ts';
import type { BotInfo, Runs } from '#domain/bot.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { Health } from '#domain/health.ts';
import { healthLine, troubleBlocks, verdictOf } from '#domain/health-words.ts';
import type { IncidentDesk } from '#domain/incident-desk.ts';
import { type Incident, incidentName, isOpen } from '#domain/incidents.ts';
import type { Block, Line, Reply } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import type { Readings } from '#domain/readings.ts';
import type { Reports } from '#domain/reports.ts';
import { type Run, runName } from '#domain/runs.ts';
import { reportNumbers } from './report-numbers.ts';

export type ReportPorts = {
  bot: BotInfo;
  clock: Clock;
  health: Health;
  readings: Readings;
  runs: Runs;
  incidents: IncidentDesk;
  /** Undefined when backups are off. */
  backups: BackupStore | undefined;
};

const dayMs = 86_400_000;
// A day with more is told by its newest.
const mostRuns = 500;
const mostIncidents = 500;

const heading = (text: string): Block => ({ kind: 'text', lines: [{ bold: text }] });

/** What a person wants to know in the morning, the verdict first. */
export class DailyReports implements Reports {
  readonly #ports: ReportPorts;

  constructor(ports: ReportPorts) {
    this.#ports = ports;
  }

  async daily(): Promise<Reply> {
    const { bot, clock, health, incidents, readings, runs } = this.#ports;
    const now = clock.now();
    const from = now - dayMs;
    const findings = health.findings();
    const numbers = reportNumbers(readings, bot.site, now);
    const recent = incidents.list({ limit: mostIncidents });
    const open = incidents.list({ open: true, limit: mostIncidents });
    const backup = await this.#backup(now);
    const runsOfDay = runs.recent({ limit: mostRuns }).filter((run) => run.madeAt > from);
    return {
      title: healthLine(findings),
      verdict: verdictOf(findings),
      blocks: [
        ...troubleBlocks(findings, now, bot.timezone),
        heading('Since yesterday'),
        { kind: 'list', items: this.#changes(recent, numbers.changes, from, now) },
        ...(numbers.rows.length === 0
          ? []
          : [
              heading('Numbers'),
              {
                kind: 'table' as const,
                head: ['What', 'Last 24 h', 'Day before'],
                rows: numbers.rows.map(({ title, today, yesterday }) => [title, today, yesterday]),
              },
            ]),
        heading('Backups'),
        { kind: 'list', items: backup },
        heading('Open incidents'),
        { kind: 'list', items: open.length === 0 ? ['None.'] : open.map((one) => incidentLine(one, now)) },
        heading('Changes made'),
        { kind: 'list', items: runLines(runsOfDay) },
      ],
      offers: open.length === 0 ? [] : [{ text: 'The open incidents', command: 'alerts' }],
    };
  }

  #changes(recent: readonly Incident[], numbers: readonly string[], from: EpochMs, now: EpochMs): Line[] {
    const { bot } = this.#ports;
    const opened = recent.filter((one) => one.openedAt > from);
    const closed = recent.filter((one) => !isOpen(one) && (one.closedAt ?? 0) > from);
    const names = [...new Set(opened.map((one) => one.name))];
    const shown = names.slice(0, 5).join(', ');
    const lines: Line[] = [
      ...(opened.length === 0
        ? []
        : [`${opened.length} incidents opened (${shown}${names.length > 5 ? ', …' : ''}), ${closed.length} closed`]),
      ...(opened.length === 0 && closed.length > 0 ? [`${closed.length} incidents closed`] : []),
      ...numbers,
      ...(bot.startedAt > from
        ? [`The bot started at ${formatMoment(bot.startedAt, bot.timezone, now)} (${bot.version})`]
        : []),
    ];
    return lines.length === 0 ? ['Nothing of note.'] : lines;
  }

  async #backup(now: EpochMs): Promise<Line[]> {
    const { backups, bot } = this.#ports;
    if (backups === undefined) return ['Off: no backups are set up.'];
    const sets = await backups.list().catch(() => undefined);
    if (sets === undefined) return ['Unknown: the place where they lie does not answer.'];
    const sorted = sets.toSorted((a, b) => b.manifest.sequence - a.manifest.sequence);
    const [last] = sorted;
    if (last === undefined) return ['None yet.'];
    const verified = sorted.find((set) => set.verification?.ok);
    const at = (time: EpochMs) => `${formatMoment(time, bot.timezone, now)} (${formatDuration(now - time)} ago)`;
    return [
      ['Last complete: ', at(last.manifest.endedAt), ', ', { code: last.manifest.id }],
      verified === undefined
        ? 'Last verified: never.'
        : ['Last verified: ', at(verified.verification?.at ?? 0), ', ', { code: verified.manifest.id }],
      ...(last.verification?.ok === false
        ? [`The newest failed its test: ${last.verification.problems.join('; ')}`]
        : []),
    ];
  }
}

function incidentLine(incident: Incident, now: EpochMs): Line {
  const who = incident.ackedBy === undefined ? incident.state : `acknowledged by ${incident.ackedBy}`;
  const lasts = formatDuration(now - incident.openedAt);
  return [{ bold: `${incidentName(incident.id)} ${incident.severity} ` }, `${incident.title} (${who}, ${lasts})`];
}

/** By command; what didn't end well is named, so that it can be looked up. */
function runLines(runs: readonly Run[]): Line[] {
  if (runs.length === 0) return ['None.'];
  const byCommand = Map.groupBy(runs, (run) => run.command);
  return [...byCommand].map(([command, all]): Line => {
    const done = all.filter((run) => run.state === 'done').length;
    const others = all.filter((run) => run.state !== 'done').map((run) => `${runName(run.id)} ${run.state}`);
    const more = others.length > 5 ? [...others.slice(0, 5), `and ${others.length - 5} more`] : others;
    return [{ code: command }, ` ${[...(done > 0 ? [`${done} done`] : []), ...more].join(', ')}`];
  });
}
