import { describe, expect, test } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import type { BackupId } from '#domain/backups.ts';
import type { BotInfo } from '#domain/bot.ts';
import { OpsError } from '#domain/errors.ts';
import type { Reply } from '#domain/messages.ts';
import type { RoomId } from '#domain/rooms.ts';
import list from '#commands/backup/list.ts';
import now from '#commands/backup/now.ts';
import show from '#commands/backup/show.ts';
import verify from '#commands/backup/verify.ts';
import type { Caller, ChangeCommand, Query } from '#engine/command.ts';
import type { Ports } from '#engine/ports.ts';
import { FakeBackups } from '#test/fakes/backups.ts';
import { FakeRunHands } from '#test/fakes/run-hands.ts';

const bot: BotInfo = {
  user: '@opsroom:example.org' as UserId,
  opsRoom: '!ops' as RoomId,
  site: 'main',
  prefix: '!',
  timezone: 'Europe/Berlin',
  version: '0.1.0',
  startedAt: 0,
  off: [],
};
const quiet = { site: 'main', signal: new AbortController().signal, progress: () => undefined };

function openHouse(options: { verifies?: 'each' | 'never' } = {}) {
  const backups = new FakeBackups(options);
  const ports = { backups, bot, clock: backups.clock } as unknown as Ports;
  const caller: Caller = {
    user: '@alice:example.org' as UserId,
    role: 'operator',
    proof: 'clear',
    room: undefined,
    thread: undefined,
    at: 0,
    signal: quiet.signal,
  };
  return {
    backups,
    async run(command: ChangeCommand, args: object, hands = new FakeRunHands()) {
      const parsed = command.args.parse(args);
      const prepared = await command.prepare(parsed, ports, caller);
      const plan = command.plan.parse(prepared.plan);
      const preview = command.describe(plan, prepared.facts, ports);
      const reply = await command.apply(plan, ports, hands);
      return { touches: prepared.touches, preview, reply, hands };
    },
    async ask(query: Query, args: object): Promise<Reply> {
      const parsed = query.args.parse(args);
      return query.view(await query.answer(parsed, ports, caller), parsed, ports);
    },
  };
}

const textOf = (reply: Reply): string => JSON.stringify(reply);

describe('backup now', () => {
  test('makes one and proves it', async () => {
    const house = openHouse();
    const { reply, hands, touches } = await house.run(now, { only: 'database' });
    expect(hands.log).toEqual(['make done', 'verify done', 'prune done']);
    expect(touches).toEqual({ things: ['backup'] });
    expect(reply).toMatchObject({
      verdict: 'ok',
      title: ['Backup ', { code: '20260803T090000Z-000001' }, ' made and verified by restoring it.'],
    });
    expect(textOf(reply)).toMatch(
      /size: 1000 B \(4\.9 KiB unpacked\)".*rows: 1,230 in 3 tables".*restore test: passed in 5 ms/,
    );
    expect(hands.offers).toEqual([{ text: 'Look at it', command: 'backup show 20260803T090000Z-000001' }]);
    expect(hands.progressed.map(([, , what]) => what)).toContain('restoring into a scratch database');
    expect((await house.backups.list())[0]?.verification?.ok).toBe(true);
  });

  test('that fails its restore test is kept, and is said not to be one to count on', async () => {
    const house = openHouse();
    const lossy = new FakeRunHands();
    const make = house.backups.make.bind(house.backups);
    house.backups.make = async (options) => {
      const set = await make(options);
      house.backups.loseRows(set.manifest.id, 'public.events', 400);
      return set;
    };
    const { reply } = await house.run(now, {}, lossy);
    expect(lossy.log).toEqual([
      'make done',
      'verify failed',
      'prune skipped: nothing is removed while the newest backup is not proved',
    ]);
    expect(lossy.failures.join()).toContain(
      'table public.events has 400 rows in the restored copy, 1200 in the manifest',
    );
    expect(reply).toMatchObject({
      verdict: 'critical',
      title: ['Backup ', expect.anything(), ' made, but NOT proved.'],
    });
  });

  test('that can not be verified now is kept, with the command that tries again', async () => {
    const house = openHouse();
    house.backups.faults.fail('verify', new OpsError('unavailable', 'PostgreSQL is not there.'));
    const { reply, hands } = await house.run(now, {});
    expect(reply.verdict).toBe('critical');
    expect(hands.offers).toContainEqual({
      text: 'Try the restore test again',
      command: 'backup verify 20260803T090000Z-000001',
    });
    expect(await house.backups.list()).toHaveLength(1);
  });

  test('does not verify where the settings say so, and says that', async () => {
    const { reply, hands, preview } = await openHouse({ verifies: 'never' }).run(now, {});
    expect(hands.log).toEqual([
      'make done',
      'verify skipped: backups.verify is never',
      'prune skipped: nothing is removed while backups are not verified',
    ]);
    expect(reply.verdict).toBe('warning');
    expect(textOf(preview)).toContain('not verified');
  });

  test('after a crash between the two steps makes no second set', async () => {
    const house = openHouse();
    const { manifest, bytes } = await house.backups.make(quiet);
    const kept = { make: { id: manifest.id, bytes, rawBytes: 1, tookMs: 1, rows: 1, tables: 1 } };
    const { hands } = await house.run(now, {}, new FakeRunHands({ kept }));
    expect(hands.log).toEqual(['verify done', 'prune done']);
    expect(await house.backups.list()).toHaveLength(1);
  });

  test('removes what is older than it is kept, and says how many', async () => {
    const house = openHouse();
    const madeADay = async (): Promise<void> => {
      const { manifest } = await house.backups.make({ ...quiet, site: 'main' });
      await house.backups.verify(manifest.id, quiet);
      await house.backups.clock.advance(86_400_000);
    };
    for (let day = 0; day < 35; day++) await madeADay();
    const { reply, hands, preview } = await house.run(now, {});
    // Of 36 sets, a day apart, those of the last 30 days and the one that is exactly 30 days old.
    expect(await house.backups.list()).toHaveLength(31);
    expect(textOf(reply)).toContain('removed 5 older than 30 d');
    expect(textOf(preview)).toContain('older than 30 d are removed');
    expect(hands.log.at(-1)).toBe('prune done');
    expect(textOf((await house.run(now, {})).reply)).not.toContain('removed');
  });

  test('is good also when older ones can not be removed, and that is said', async () => {
    const house = openHouse();
    for (let n = 0; n < 5; n++) {
      const { manifest } = await house.backups.make({ ...quiet, site: 'main' });
      await house.backups.verify(manifest.id, quiet);
    }
    await house.backups.clock.advance(31 * 86_400_000);
    const { manifest } = await house.backups.make({ ...quiet, site: 'main' });
    await house.backups.verify(manifest.id, quiet);
    house.backups.faults.fail('remove', new OpsError('unavailable', 'The disk is read-only.'));
    const { reply, hands } = await house.run(now, {});
    expect(hands.log).toEqual(['make done', 'verify done', 'prune failed']);
    expect(hands.failures).toEqual(['The disk is read-only.']);
    expect(textOf(reply)).toContain('older backups could not be removed');
    expect(await house.backups.list()).toHaveLength(7);
  });

  test('a failed dump is the error of the run', async () => {
    const house = openHouse();
    house.backups.faults.fail('make', new OpsError('unavailable', 'The backup failed while dumping.'));
    await expect(house.run(now, {})).rejects.toThrow('The backup failed while dumping.');
  });

  test('takes no part that it does not know', () => {
    expect(() => now.args.parse({ only: 'media' })).toThrow(/database/);
  });
});

describe('backup list', () => {
  test('of none says what to type', async () => {
    expect(await openHouse().ask(list, {})).toMatchObject({
      verdict: 'warning',
      title: 'No backup yet: !backup now makes one.',
    });
  });

  test('is newest first, with age, size, rows and proof; ten, and the rest on request', async () => {
    const house = openHouse();
    for (let n = 1; n <= 12; n++) await house.backups.make(quiet);
    await house.backups.verify((await house.backups.list())[11]!.manifest.id, quiet);
    await house.backups.clock.advance(3 * 3_600_000);
    const reply = await house.ask(list, {});
    expect(reply.title).toBe('12 backups, the newest 3 h ago, the last verified one 3 h ago.');
    const table = reply.blocks?.find((block) => block.kind === 'table');
    expect(table?.rows).toHaveLength(10);
    expect(table?.rows[0]).toEqual([{ code: '20260803T090000Z-000012' }, '3 h ago', '1000 B', '1,230', 'not yet']);
    expect(textOf(reply)).toContain('2 older ones: !backup list --all. 50 GiB free.');
    const all = await house.ask(list, { all: true });
    expect(
      all.blocks
        ?.find((block) => block.kind === 'table')
        ?.rows.at(-1)
        ?.at(-1),
    ).toBe('passed 3 h ago');
  });

  test('a damaged one is never left out', async () => {
    const house = openHouse();
    const { manifest } = await house.backups.make(quiet);
    house.backups.breakManifest(manifest.id);
    const reply = await house.ask(list, {});
    expect(reply).toMatchObject({ verdict: 'critical', title: 'No usable backup.' });
    expect(textOf(reply)).toContain('manifest.json is damaged');
  });
});

describe('backup show', () => {
  test('says what is in it and offers its proof', async () => {
    const house = openHouse();
    const { manifest } = await house.backups.make(quiet);
    const reply = await house.ask(show, { id: '1' });
    expect(reply).toMatchObject({ verdict: 'warning', offers: [{ command: `backup verify ${manifest.id}` }] });
    expect(textOf(reply)).toMatch(
      /2026-08-03 11:00 \+02:00.*left empty on purpose.*e2e_one_time_keys_json.*public\.events.*1,200/,
    );
    await house.backups.verify(manifest.id, quiet);
    expect(await house.ask(show, { id: 'latest' })).toMatchObject({ verdict: 'ok', offers: [] });
  });

  test('of a damaged one warns; of none says so', async () => {
    const house = openHouse();
    await expect(house.ask(show, { id: 'latest' })).rejects.toMatchObject({
      kind: 'notFound',
      hint: '!backup list shows them.',
    });
    house.backups.breakManifest((await house.backups.make(quiet)).manifest.id);
    expect(await house.ask(show, { id: 'latest' })).toMatchObject({ verdict: 'critical' });
  });
});

describe('backup verify', () => {
  test('of a good one says how much was counted', async () => {
    const house = openHouse();
    await house.backups.make(quiet);
    const { reply, touches } = await house.run(verify, { id: 'latest' });
    expect(touches).toEqual({ things: ['backup'] });
    expect(reply.verdict).toBe('ok');
    expect(textOf(reply)).toContain('1,230 rows in 3 tables, as in the manifest');
  });

  test.each(['breakFile', 'breakManifest'] as const)(
    'after %s it is not proved, and the file is named',
    async (damage) => {
      const house = openHouse();
      const { manifest } = await house.backups.make(quiet);
      house.backups[damage](manifest.id);
      const { reply, hands } = await house.run(verify, { id: manifest.id satisfies BackupId });
      expect(reply.verdict).toBe('critical');
      expect(hands.failures.join()).toMatch(/database\.dump\.zst was changed|manifest\.json is damaged/);
    },
  );
});

test.each(Object.entries({ now, list, show, verify }))(
  'the examples of backup %s are what it takes',
  (_name, command) => {
    for (const example of command.examples) {
      const [flag, value] = example.startsWith('--')
        ? [example.split(' ')[0]?.slice(2), example.split(' ')[1]]
        : ['id', example];
      const args = example === '' ? {} : { [flag ?? '']: value ?? true };
      expect(() => command.args.parse(args)).not.toThrow();
    }
  },
);
