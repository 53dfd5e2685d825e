import { describe, expect, test } from 'vitest';
import type { NewInboxItem } from '#domain/inbox.ts';
import { idOf, openTestHouse, opsRoom, type TestHouse } from '#test/fakes/house.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

// People who would be somebody else, and messages that would be commands of somebody else: what happens, one by one.

const open = (joined?: string[]): TestHouse =>
  openTestHouse({ commands: smallCommands, ...(joined ? { joined } : {}) });
const everybody = ['alice', 'alice-admin', 'bob', 'carol', 'vera'];

/** What an account of any server writes. */
async function write(
  house: TestHouse,
  sender: string,
  text: string,
  links: Array<{ href: string; text: string }> = [],
): Promise<string[]> {
  const before = house.room.texts().length;
  const item: NewInboxItem = {
    source: 'matrix',
    key: `$${sender}${text}`,
    site: 'default',
    room: opsRoom,
    thread: undefined,
    sender: idOf(sender),
    device: undefined,
    proof: 'clear',
    body: { kind: 'message', text, links },
    sentAt: 1,
    takenAt: house.clock.now(),
  };
  house.take([item]);
  await house.settle();
  return house.room.texts().slice(before);
}

describe('H1: who would be somebody else', () => {
  test.each([
    ['an admin’s name on another server', '@alice:evil.org'],
    ['the same name in another case of the server', '@alice:EXAMPLE.org'],
    ['the own server as a part of another', '@alice:example.org.evil.net'],
    ['a port that the own server has not', '@alice:example.org:8448'],
    ['a name that looks like one', '@aIice:example.org'],
    ['digits for letters', '@a1ice:example.org'],
  ])('%s: refused and audited, in the room or not', async (_, sender) => {
    await using house = open([...everybody, sender]);
    expect((await write(house, sender, '!remove mallory spam')).join()).toMatch(/role/);
    expect(house.states()).toEqual([]);
    expect(house.ledger.audit({ act: 'remove' })).toMatchObject([{ actor: sender, outcome: 'denied' }]);
    house.leave(sender);
    await write(house, sender, '!remove mallory again');
    expect(house.states()).toEqual([]);
  });

  test('a ghost: a person with a role who is not in the room now', async () => {
    await using house = open(['bob']);
    expect((await house.say('alice', '!remove mallory spam')).join()).toMatch(/members of the room/);
    expect(house.states()).toEqual([]);
  });

  test('a reaction by a look-alike grants nothing', async () => {
    await using house = open([...everybody, '@alice:evil.org']);
    await house.say('alice', '!remove mallory spam');
    await house.react('@alice:evil.org', '✅');
    expect(house.states()).toEqual(['waiting']);
    await house.react('alice', '✅');
    expect(house.states()).toEqual(['done']);
  });

  test.each(['@mаllory:example.org', '@mallory:exаmple.org', 'mаllory', 'ｍallory', 'mall0ry​\u0430'])(
    'a target in look-alike letters is refused, not guessed: %s',
    async (name) => {
      await using house = open();
      expect((await house.say('alice', `!remove ${name} spam`)).join()).toContain('is not a Matrix user id');
      expect(house.states()).toEqual([]);
    },
  );

  test('letters that cannot be seen are taken out of a name, and the question shows the id in full', async () => {
    await using house = open();
    await house.say('alice', '!remove ma\u200bllo\u202ery spam');
    expect(house.question().text).toContain('@mallory:example.org');
  });

  test('a target is never found by a display name', async () => {
    await using house = open();
    expect((await house.say('alice', '!remove "Alice Admin" spam')).join()).toContain('is not a Matrix user id');
  });
});

describe('H1: what would be a command', () => {
  const pill = (text: string, user: string) => ({ href: `https://matrix.to/#/${user}`, text });

  test('a pill whose text claims another person than its link', async () => {
    await using house = open();
    const said = await write(house, 'alice', '!remove @bob:example.org spam', [
      pill('@bob:example.org', '@mallory:example.org'),
    ]);
    expect(said.join()).toContain('The link says @bob:example.org but leads to @mallory:example.org');
    expect(house.states()).toEqual([]);
  });

  test('a pill that shows an admin’s name means whom it leads to, and the question says whom', async () => {
    await using house = open();
    await write(house, 'alice', '!remove Bob spam', [pill('Bob', '@mallory:example.org')]);
    expect(house.question().text).toContain('@mallory:example.org');
  });

  test.each([
    ['a reply that quotes a command', '> <@alice:example.org> !remove mallory spam\n\nthanks'],
    ['a quote without its end', '> <@alice:example.org> !remove mallory spam'],
    ['a quote of a quote', '> > <@alice:example.org> !remove mallory spam\n> ok\n\nyes'],
  ])('%s runs nothing', async (_, body) => {
    await using house = open();
    house.put('alice', {
      type: 'm.room.message',
      content: { msgtype: 'm.text', body, 'm.relates_to': { 'm.in_reply_to': { event_id: '$x' } } },
    });
    await house.settle();
    expect([house.states(), house.room.texts()]).toEqual([[], []]);
  });

  test('a forged quote in front of a command: what was typed counts, nothing of the quote', async () => {
    await using house = open();
    house.put('alice', {
      type: 'm.room.message',
      content: {
        msgtype: 'm.text',
        body: '> <@bob:example.org> !remove alice now\n\n!remove mallory spam',
        'm.relates_to': { 'm.in_reply_to': { event_id: '$x' } },
      },
    });
    await house.settle();
    expect(house.question().text).toContain('@mallory:example.org');
    expect(house.run().args).toMatchObject({ user: 'mallory', reason: 'spam' });
  });

  test('chat that is edited into a command runs nothing; a command that is edited is no longer asked about', async () => {
    await using house = open();
    await house.say('alice', 'hello', { event: '$chat' });
    await house.edit('alice', '$chat', '!remove mallory spam');
    expect(house.states()).toEqual([]);
    await house.say('alice', '!remove mallory spam', { event: '$command' });
    await house.edit('alice', '$command', '!remove bob spam');
    await house.react('alice', '✅');
    expect(house.states()).toEqual(['cancelled']);
  });

  test.each(['m.notice', 'm.emote', 'm.image', 'm.file', 'm.location', '', 'm.text '])(
    'a message of type %j runs nothing',
    async (msgtype) => {
      await using house = open();
      house.put('alice', { type: 'm.room.message', content: { msgtype, body: '!remove mallory spam' } });
      await house.settle();
      expect([house.states(), house.room.texts()]).toEqual([[], []]);
    },
  );

  test('the text counts, not what its HTML shows', async () => {
    await using house = open();
    await house.say('alice', '!remove mallory spam', { html: '!remove <b>bob</b> spam' });
    expect(house.question().text).toContain('@mallory:example.org');
  });

  test.each(['ǃremove mallory spam', '！remove mallory spam', '\u202e!remove mallory spam', '❗remove mallory spam'])(
    'a sign that only looks like the prefix is none: %s',
    async (line) => {
      await using house = open();
      await house.say('alice', line);
      expect(house.states()).toEqual([]);
    },
  );
});
