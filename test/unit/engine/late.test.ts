import { describe, expect, test } from 'vitest';
import type { NewInboxItem } from '#domain/inbox.ts';
import { judgeLateness, lateBy } from '#domain/lateness.ts';
import type { ChangeCommand } from '#engine/command.ts';
import { idOf, openTestHouse, opsRoom, site, type TestHouse } from '#test/fakes/house.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

const minute = 60_000;
let typed = 0;

/** What somebody typed into a room that nobody listened to, so long before it was taken. */
function missed(house: TestHouse, name: string, text: string, lateMs: number): NewInboxItem {
  typed += 1;
  const takenAt = house.clock.now();
  return {
    source: 'matrix',
    key: `$late${typed}`,
    site,
    room: opsRoom,
    thread: undefined,
    sender: idOf(name),
    device: undefined,
    proof: 'clear',
    body: { kind: 'message', text, links: [] },
    sentAt: takenAt - lateMs,
    takenAt,
    lateMs,
  };
}

describe('A4 how late something is', () => {
  const own = { sentAt: 0, takenAt: 900_000, awayMs: 1_200_000, ownServer: true };
  test('never more than the bot was away, whatever its time says', () => {
    expect(lateBy(own)).toBe(900_000);
    expect(lateBy({ ...own, awayMs: 5000 })).toBe(5000);
    expect(lateBy({ ...own, awayMs: -5 })).toBe(0);
    expect(lateBy({ ...own, sentAt: 890_000 })).toBe(10_000);
  });
  test('a time that another server chose, or one from the future, is not believed', () => {
    expect(lateBy({ ...own, sentAt: 899_000, ownServer: false })).toBe(1_200_000);
    expect(lateBy({ ...own, sentAt: 1_000_000 })).toBe(1_200_000);
    // Clocks are a little apart everywhere.
    expect(lateBy({ ...own, sentAt: 910_000 })).toBe(0);
  });
  test('what lay untouched since it was taken is late too; schedules and the shell never are', () => {
    const item = { source: 'matrix' as const, lateMs: 0, takenAt: 0 };
    const verdicts = [2 * minute, 2 * minute + 1, 10 * minute, 10 * minute + 1].map(
      (now) => judgeLateness(item, now).verdict,
    );
    expect(verdicts).toEqual(['run', 'ask', 'ask', 'list']);
    expect(judgeLateness({ ...item, source: 'schedule' }, 60 * minute).verdict).toBe('run');
    expect(judgeLateness({ ...item, source: 'shell' }, 60 * minute).verdict).toBe('run');
  });
});

describe('A4 commands sent while the bot was away', () => {
  test('reads are answered, however late', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.take([missed(house, 'carol', '!hello there', 60 * minute)]);
    await house.settle();
    expect(house.room.texts()).toEqual(['hello there']);
  });

  test('a change of up to two minutes runs as usual', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.take([missed(house, 'carol', '!tick', 2 * minute)]);
    await house.settle();
    expect(house.states()).toEqual(['done']);
  });

  test('an older one asks first, also where nothing is asked else, and its sender alone answers', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.take([missed(house, 'carol', '!tick', 5 * minute)]);
    await house.settle();
    expect(house.world.done).toEqual([]);
    expect(house.question().text).toContain('I was down when this was typed, 5 min ago. Run it now? Count one?');
    await house.react('alice', '✅');
    expect(house.world.done).toEqual([]);
    await house.react('carol', '✅');
    expect(house.world.done).toEqual(['count']);
    expect(house.states()).toEqual(['done']);
  });

  test('one question for both where it is asked anyway', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    house.take([missed(house, 'carol', '!remove mallory spam', 5 * minute)]);
    await house.settle();
    expect(house.question().text).toContain('Run it now? Remove @mallory:example.org: spam?');
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
    expect(house.room.messages().filter(({ mark }) => mark?.kind === 'prompt')).toHaveLength(1);
  });

  test('those older than ten minutes are not run, and one message lists them all', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    const lines = Array.from({ length: 200 }, (_, n) => `!remove mallory${n} spam`);
    house.take([
      ...lines.map((line) => missed(house, 'carol', line, 11 * minute)),
      missed(house, 'alice', '!tick', 20 * minute),
      missed(house, 'carol', '!hello', 20 * minute),
      missed(house, 'vera', '!tick', 20 * minute),
    ]);
    for (let waited = 0; waited < 5; waited += 1) await house.settle();
    expect(house.states()).toEqual([]);
    expect(house.world.done).toEqual([]);
    const lists = house.room.messages().filter(({ mark }) => mark?.kind === 'notice');
    expect(lists).toHaveLength(1);
    expect(lists[0]?.text).toContain('201 changes were typed that are too old to run now. Nothing of them was done:');
    for (const line of ['mallory0 spam', 'mallory199 spam']) expect(lists[0]?.text).toContain(`!remove ${line}`);
    expect(lists[0]?.text).toContain('@alice:example.org, 20 min ago: !tick');
    // Who may not is refused as ever, and reads are answered.
    const others = house.room.messages().flatMap(({ mark, text }) => (mark?.kind === 'reply' ? [text] : []));
    expect(others.toSorted()).toEqual(['hello world', expect.stringContaining('needs the role operator')]);
    expect(house.ledger.inboxDepth()).toBe(0);
    expect(house.ledger.audit({ limit: 500 }).filter(({ outcome }) => outcome === 'too late')).toHaveLength(201);
  });

  test('a crash before they are listed lists them once', async () => {
    for (const when of ['before', 'after'] as const) {
      const house = openTestHouse({ commands: smallCommands, onDisk: true });
      await using _ = house;
      house.kill();
      await house.reopen({ write: 2, when });
      house.take([missed(house, 'carol', '!tick', 20 * minute), missed(house, 'carol', '!tick', 21 * minute)]);
      await house.settle();
      house.kill();
      await house.reopen();
      await house.pass(3000);
      expect(
        house.room.messages().map(({ mark }) => mark?.kind),
        when,
      ).toEqual(['notice']);
      expect(house.states()).toEqual([]);
    }
  });

  test('taken, and then the process was gone for an hour: not run by surprise', async () => {
    const house = openTestHouse({ commands: smallCommands, onDisk: true });
    await using _ = house;
    const item = missed(house, 'carol', '!tick', 0);
    house.kill();
    await house.clock.advance(60 * minute);
    await house.reopen();
    house.take([item]);
    await house.settle();
    expect(house.world.done).toEqual([]);
    expect(house.last()).toContain('a change was typed that is too old to run now. Nothing of it was done:');
  });
});

describe('A3 a command that is taken back while it is looked at', () => {
  test('is not asked about any more', async () => {
    await using house = openTestHouse({
      commands: (world) => {
        const { remove: plain, ...others } = smallCommands(world);
        if (plain?.kind !== 'change') throw new Error('not a change');
        const prepare: ChangeCommand['prepare'] = async (args, ports, caller) => {
          await world.act('look');
          return plain.prepare(args, ports, caller);
        };
        return { ...others, remove: { ...plain, prepare } };
      },
    });
    house.world.close('look');
    await house.say('carol', '!remove mallory spam', { event: '$c' });
    await house.redact('carol', '$c');
    house.world.open('look');
    await house.settle();
    expect(house.states()).toEqual([]);
    expect(house.room.messages()).toEqual([]);
    expect(house.ledger.inboxDepth()).toBe(0);
  });

  test('taken back by somebody else it is asked about as usual', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('carol', '!remove mallory spam', { event: '$c' });
    await house.redact('alice', '$c');
    expect(house.states()).toEqual(['waiting']);
  });
});

describe('A1 a typed vote', () => {
  test('that is met again after a crash is the same vote, and answered as one', async () => {
    for (let write = 2; write < 9; write += 1) {
      const house = openTestHouse({ commands: smallCommands, onDisk: true });
      await using _ = house;
      await house.say('carol', '!remove mallory spam');
      const code = house.code();
      house.kill();
      await house.reopen({ write, when: 'after' });
      await house.say('carol', `!approve ${code}`, { event: '$vote' });
      house.kill();
      await house.reopen();
      await house.say('carol', `!approve ${code}`, { event: '$vote' });
      await house.pass(3000);
      expect(house.states(), `write ${write}`).toEqual(['done']);
      expect(
        house.room.texts().filter((text) => text.includes('closed')),
        `write ${write}`,
      ).toEqual([]);
      expect(house.room.texts(), `write ${write}`).toContain('approve is noted');
    }
  });
});
