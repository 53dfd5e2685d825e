import { expect, test } from 'vitest';
import check from '#commands/check.ts';
import health from '#commands/health.ts';
import report from '#commands/report.ts';
import status from '#commands/status.ts';
import { parseUserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import type { Finding } from '#domain/health.ts';
import type { Reply } from '#domain/messages.ts';
import type { Caller, Command } from '#engine/command.ts';
import { FakeClock } from '#test/fakes/clock.ts';

const clock = new FakeClock();
const hourMs = 3_600_000;
const bot = {
  prefix: '!',
  timezone: 'UTC',
  version: '0.1.0',
  startedAt: clock.now() - 3 * hourMs,
  off: [] as unknown[],
};
const finding = (set: Partial<Finding>): Finding => ({
  name: 'sync-latency.round_trip_ms',
  part: 'synapse',
  title: 'sync latency',
  verdict: 'ok',
  value: '40 ms',
  limit: 'above 5 s',
  note: undefined,
  since: undefined,
  readAt: clock.now(),
  ...set,
});
const bad = finding({ verdict: 'critical', value: '7 s' });
const free = finding({
  name: 'disk.free_bytes:/data',
  part: 'disk',
  title: 'free space of /data',
  value: '9 GiB',
  limit: 'below 2.0 GiB',
});

/** What the door does with a query: answer, then view. */
async function ask(command: Command, args: Record<string, unknown>, ports: Record<string, unknown>): Promise<Reply> {
  if (command.kind !== 'query') throw new Error('not a query');
  const parsed = command.args.parse(args);
  const data = await command.answer(parsed, { bot, clock, ...ports } as never, {} as Caller);
  // What `--json` gives is what the view sees: nothing in it that JSON loses.
  return command.view(JSON.parse(JSON.stringify(data ?? null)), parsed, { bot, clock } as never);
}
const healthOf = (findings: Finding[]) => ({
  health: {
    findings: () => findings,
    checks: () => [],
    runNow: (name?: string) => Promise.resolve(name === undefined ? findings : [bad]),
  },
});
const lists = (reply: Reply) =>
  (reply.blocks ?? []).flatMap((block) =>
    block.kind === 'list' ? block.items.map((line) => JSON.stringify(line)) : [],
  );

test('health answers in its first line, names what is bad and folds the rest', async () => {
  const reply = await ask(health, {}, healthOf([bad, free]));
  expect(reply).toMatchObject({
    title: '1 critical: sync latency 7 s.',
    verdict: 'critical',
    offers: [{ command: 'check sync-latency' }],
  });
  expect(reply.blocks?.map(({ kind }) => kind)).toEqual(['list', 'details']);
  const well = await ask(health, {}, healthOf([free]));
  expect(well).toMatchObject({ title: 'All well: 1 reading within limits.', verdict: 'ok' });
  expect(well.offers).toBeUndefined();
});

test('health of a part shows that part only, open; an unknown part is refused with the list', async () => {
  const reply = await ask(health, { part: 'Disk' }, healthOf([bad, free]));
  expect(reply.verdict).toBe('ok');
  expect(reply.blocks).toMatchObject([
    { kind: 'table', rows: [['free space of /data', '9 GiB', 'below 2.0 GiB', 'ok']] },
  ]);
  await expect(ask(health, { part: 'moon' }, healthOf([bad, free]))).rejects.toMatchObject({
    kind: 'notFound',
    hint: 'Parts: synapse, disk.',
  });
});

test('check lists, reads one, reads all', async () => {
  expect((await ask(check, {}, healthOf([]))).title).toBe('0 checks run here.');
  expect(await ask(check, { name: 'sync-latency' }, healthOf([free]))).toMatchObject({
    verdict: 'critical',
    blocks: [{ kind: 'list' }],
  });
  expect(await ask(check, { name: 'all' }, healthOf([free]))).toMatchObject({
    verdict: 'ok',
    blocks: [{ kind: 'table' }],
  });
});

test('report is the daily one, and no other word', async () => {
  const reports = { daily: () => Promise.resolve({ title: 'All well.' }) };
  expect(await ask(report, {}, { reports })).toEqual({ title: 'All well.' });
  await expect(ask(report, { kind: 'hourly' }, { reports })).rejects.toThrow(/daily/);
});

test('status begins with the verdict, then the bot itself', async () => {
  const alice = parseUserId('@alice:example.org');
  const reply = await ask(
    status,
    {},
    {
      ...healthOf([free]),
      switches: { paused: () => ({ by: alice, reason: 'moving', since: clock.now() - hourMs }) },
      queues: { depth: () => ({ inbox: 2, outbox: 2, oldestOutboxMs: 4000 }) },
      backups: {
        list: () =>
          Promise.resolve([
            { manifest: { sequence: 1, endedAt: clock.now() - 30 * hourMs }, verification: { ok: true } },
            { manifest: { sequence: 2, endedAt: clock.now() - 6 * hourMs } },
          ]),
      },
      incidents: { onDuty: () => [{ layer: 'primary', user: alice }], list: () => [{}, {}] },
    },
  );
  expect(reply.title).toBe('All well: 1 reading within limits.');
  expect(lists(reply)).toEqual([
    '[{"bold":"Bot: "},"0.1.0, up 3 h"]',
    '[{"bold":"Changes: "},"paused by ",{"user":"@alice:example.org"}," for 1 h: moving"]',
    '[{"bold":"Waiting: "},"1 to handle, 2 to send (oldest 4 s)"]',
    '[{"bold":"Last backup: "},"6 h ago, last verified 1 d 6 h ago"]',
    '[{"bold":"Incidents: "},"2 open"]',
    '[{"bold":"On call: "},"primary: ",{"user":"@alice:example.org"}]',
  ]);
});

test('status says what is critical first, and only then that the rest is well', async () => {
  const incidents = { onDuty: () => [], list: () => [{ severity: 'critical' }, { severity: 'critical' }] };
  const ports = { ...healthOf([free]), switches: { paused: () => undefined }, incidents };
  const reply = await ask(status, {}, ports);
  expect(reply.title).toBe('2 critical alerts open. Otherwise well: 1 reading within limits.');
  expect(reply.verdict).toBe('critical');
});

test('status stands when parts are off or do not answer', async () => {
  const ports = { ...healthOf([free]), switches: { paused: () => undefined } };
  expect(lists(await ask(status, {}, ports))).toHaveLength(2);
  const gone = { list: () => Promise.reject(new OpsError('unavailable', 'No answer.')) };
  expect(lists(await ask(status, {}, { ...ports, backups: gone }))[2]).toContain('unknown: the store does not answer');
});
