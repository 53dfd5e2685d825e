import { describe, expect, test } from 'vitest';
import { idOf, openTestHouse } from '#test/fakes/house.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

const minuteMs = 60_000;
const open = () => openTestHouse({ commands: smallCommands, joined: ['alice', 'bob', 'carol', 'vera', 'judy'] });
const denials = (house: ReturnType<typeof open>, name: string): number =>
  house.ledger.audit({ actor: idOf(name), limit: 1000 }).filter(({ outcome }) => outcome === 'denied').length;

describe('a refusal', () => {
  test('is audited with who, what and why', async () => {
    await using house = open();
    await house.say('vera', '!remove mallory "with cause"');
    expect(house.ledger.audit({ act: 'remove' })).toMatchObject([
      {
        actor: idOf('vera'),
        act: 'remove',
        outcome: 'denied',
        detail: {
          proof: 'clear',
          detail: {
            what: '!remove mallory "with cause"',
            why: '!remove needs the role operator; you are viewer.',
          },
        },
      },
    ]);
  });

  test('over and over: five are answered, one says that no more will be, the rest is silence, and audited', async () => {
    await using house = open();
    const said: string[][] = [];
    for (let n = 0; n < 20; n += 1) said.push(await house.say('judy', '!tick'));
    expect(said.slice(0, 5).every(([one]) => one?.includes('needs the role operator'))).toBe(true);
    expect(said[5]?.join()).toContain('For 10 min what is refused to you gets no answer');
    expect(said.slice(6).flat()).toEqual([]);
    expect(denials(house, 'judy')).toBe(20);
    // What they may is answered as ever, and so are the others.
    expect((await house.say('judy', '!hello')).join()).toContain('hello world');
    expect((await house.say('vera', '!tick')).join()).toContain('needs the role operator');
    expect((await house.say('carol', '!tick')).join()).toContain('counted');
  });

  test('afterwards the owners hear once how many there were, and it begins anew', async () => {
    await using house = open();
    for (let n = 0; n < 20; n += 1) await house.say('judy', '!tick');
    await house.pass(9 * minuteMs);
    expect(house.last()).not.toContain('14 more');
    await house.pass(2 * minuteMs);
    const reports = house.room.messages().filter(({ text }) => text.includes('14 more commands of @judy'));
    expect(reports).toMatchObject([{ rings: false, mentions: [idOf('alice')], mark: { kind: 'notice' } }]);
    expect(reports[0]?.text).toContain('!audit --by @judy:example.org');
    await house.pass(11 * minuteMs);
    expect(house.room.messages().filter(({ text }) => text.includes('more commands of'))).toHaveLength(1);
    expect((await house.say('judy', '!tick')).join()).toContain('needs the role operator');
  });

  test('now and then is always answered', async () => {
    await using house = open();
    for (let n = 0; n < 12; n += 1) {
      expect((await house.say('judy', '!tick')).join()).toContain('needs the role operator');
      await house.pass(13_000);
    }
    await house.pass(15 * minuteMs);
    expect(house.room.texts().join()).not.toContain('more commands of');
  });

  test('typing errors of a stranger count, those of somebody with a role do not', async () => {
    await using house = open();
    for (let n = 0; n < 9; n += 1) await house.say('judy', '!remove');
    expect(await house.say('judy', '!remove')).toEqual([]);
    for (let n = 0; n < 9; n += 1) expect((await house.say('carol', '!remove')).join()).toContain('is missing');
  });

  test('thumbs that do not count are answered no more than that either', async () => {
    await using house = open();
    await house.say('carol', '!remove mallory spam');
    const said: string[] = [];
    for (let n = 0; n < 12; n += 1) said.push(...(await house.react('vera', n % 2 === 0 ? '✅' : '✔')));
    expect(said).toHaveLength(6);
    expect(said[5]).toContain('For 10 min what is refused to you gets no answer');
    expect(house.ledger.audit({ actor: idOf('vera'), limit: 100 })).toHaveLength(12);
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
  });
});
