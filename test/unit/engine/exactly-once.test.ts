import { describe, expect, test } from 'vitest';
import { openTestHouse, type TestHouse } from '#test/fakes/house.ts';
import { leftRooms, smallCommands } from '#test/fixtures/small-commands.ts';

const once = ['suspend', ...leftRooms.map((room) => `leave ${room}`), 'status', 'lock'];

/** Types the command and says yes, as often as it takes: a person who saw no answer looks and reacts again. */
async function story(house: TestHouse): Promise<void> {
  await house.say('alice', '!remove mallory spam', { event: '$command' });
  if (!house.power.on) return;
  if (house.states()[0] === 'waiting') await house.react('alice', '✅');
}

/** What was done and said, when all is over. */
function verdict(house: TestHouse) {
  const ends = house.room.messages().filter(({ mark }) => mark?.kind === 'reply' && mark.outcome !== 'waiting');
  const questions = house.room.messages().filter(({ mark }) => mark?.kind === 'prompt');
  return {
    states: house.states(),
    questions: questions.length,
    ends: ends.map(({ mark }) => mark?.outcome),
    marks: house.room.reactionsOn('$command'),
    begun: house.ledger.audit({ act: 'remove' }).filter(({ outcome }) => outcome === 'begun').length,
    audit: house.ledger
      .audit({ act: 'remove' })
      .map(({ outcome }) => outcome)
      .reverse(),
    waiting: house.ledger.outboxDepth().pending,
    lock: house.ledger.lockHolder('user:@mallory:example.org'),
  };
}
const whole = {
  states: ['done'],
  questions: 1,
  ends: ['done'],
  marks: ['✅'],
  begun: 1,
  audit: ['asked', 'granted', 'begun', 'done'],
  waiting: 0,
  lock: undefined,
};

describe('A1 exactly once', () => {
  test('the same event twice is one command', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('alice', '!hello', { event: '$same' });
    expect(await house.say('alice', '!hello', { event: '$same' })).toEqual([]);
    await house.say('carol', '!tick', { event: '$tick' });
    await house.say('carol', '!tick', { event: '$tick' });
    expect(house.room.texts()).toEqual(['hello world', expect.stringContaining('counted')]);
    expect(house.world.times('count')).toBe(1);
  });

  test('the same reaction twice is one vote', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    await house.say('alice', '!remove mallory spam');
    const question = house.question().id;
    await house.react('alice', '✅', question);
    expect(await house.react('alice', '✅', question)).toEqual([]);
    expect(house.world.times('suspend')).toBe(1);
  });

  test('100 commands at once: each is answered once', async () => {
    await using house = openTestHouse({ commands: smallCommands });
    const keys = Array.from({ length: 100 }, (_, n) =>
      house.put('alice', { type: 'm.room.message', content: { msgtype: 'm.text', body: `!hello nr ${n}` } }),
    );
    for (let waited = 0; waited < 20; waited += 1) await house.settle();
    const threads = house.room.messages().map(({ thread, text }) => `${thread}: ${text}`);
    expect(threads.toSorted()).toEqual(keys.map((key, n) => `${key}: hello nr ${n}`).toSorted());
  });

  test('a kill before and after every write of the story: it ends once, with nothing done twice that was known to be done', async () => {
    const ran: string[] = [];
    for (const when of ['before', 'after'] as const) {
      for (let write = 2; ; write += 1) {
        await using house = openTestHouse({ commands: smallCommands, onDisk: true, cutAt: { write, when } });
        await story(house);
        const cut = !house.power.on;
        if (cut) {
          house.kill();
          await house.reopen();
          await story(house);
          await house.pass(3000);
        }
        const name = `${when} write ${write}`;
        expect(verdict(house), name).toEqual(whole);
        expect(
          house.world.done.filter((act, at, all) => all.indexOf(act) === at && act !== 'puppet'),
          name,
        ).toEqual(once);
        // Only the act whose end was not written yet may be met again.
        expect(house.world.done.length, name).toBeLessThanOrEqual(once.length + 3);
        if (!cut) break;
        ran.push(name);
      }
    }
    // Five steps of two writes, three Changes of the run, and what is said.
    expect(ran.length).toBeGreaterThan(40);
  }, 30_000);
});
