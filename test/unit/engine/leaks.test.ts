import { expect, test } from 'vitest';
import { Secret } from '#domain/secret.ts';
import { idOf, openTestHouse, type TestHouse } from '#test/fakes/house.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

const foreign = 'syt_YWxpY2U_abcdefghijklmnopqrst_0aBcDe';
const livekit = 'a-livekit-secret-of-32-characters-xyz';
const own = 'syt_b3Bzcm9vbQ_CANARYcanary0123abcd_1Zx9aB';

function open(onDisk = false): TestHouse {
  const house = openTestHouse({ commands: smallCommands, onDisk });
  house.scrubber.keep(new Secret(livekit), 'livekit.apiSecret');
  house.scrubber.keep(new Secret(own), 'matrix.accessToken');
  return house;
}
const takenOut = (house: TestHouse): string[] =>
  house.ledger
    .outboxAbout({ kind: 'inbox', id: 1 })
    .flatMap(({ content }) => (content.kind === 'redaction' && 'event' in content.of ? [content.of.event] : []));

test('G1: a token pasted in plain talk is taken out, told by name and audited, and stored nowhere', async () => {
  await using house = open();
  const [said] = await house.say('vera', `look, it is ${foreign} right?`, { event: '$paste' });
  expect(said).toContain('@vera:example.org wrote what looks like a Matrix access token into the room');
  expect(said).toContain('End that session');
  expect(said).not.toContain(foreign);
  expect(takenOut(house)).toEqual(['$paste']);
  expect(house.ledger.audit({ act: 'secret' })).toMatchObject([
    {
      actor: idOf('vera'),
      outcome: 'taken out',
      detail: { event: '$paste', settings: [], looksLike: ['a Matrix access token'] },
    },
  ]);
  expect(JSON.stringify([...house.ledger.auditAll(), house.log.entries, house.room.events])).not.toContain(
    'abcdefghij',
  );
});

test('G1: a secret of the settings is named by its setting, rings for the owners, in whatever form it stands', async () => {
  for (const text of [livekit, Buffer.from(`devkey:${livekit}`).toString('base64'), encodeURIComponent(own), own]) {
    await using house = open();
    const [said] = await house.say('vera', `key ${text}`);
    expect(said).toMatch(/the secret of (livekit\.apiSecret|matrix\.accessToken)/);
    const message = house.ledger
      .outboxAbout({ kind: 'inbox', id: 1 })
      .find(({ content }) => content.kind === 'message');
    expect(message?.content).toMatchObject({ rings: true, mentions: [idOf('vera'), idOf('alice')] });
  }
});

test('a command that holds a secret is not run', async () => {
  await using house = open();
  const said = await house.say('alice', `!remove mallory ${own}`);
  expect(said.join()).toContain('Nothing in it was run');
  expect(house.states()).toEqual([]);
});

test('an edit and a formatted text are seen as well', async () => {
  await using house = open();
  expect((await house.edit('bob', '$other', foreign)).join()).toContain('Matrix access token');
  expect((await house.say('carol', 'harmless', { html: `<b>${foreign}</b>` })).join()).toContain('Matrix access token');
});

test('one who goes on is told of it once a minute, and every message is taken out', async () => {
  await using house = open();
  expect(await house.say('bob', foreign)).toHaveLength(1);
  expect(await house.say('bob', foreign)).toHaveLength(0);
  expect(house.ledger.audit({ act: 'secret' })).toHaveLength(2);
  await house.pass(61_000);
  expect(await house.say('bob', foreign)).toHaveLength(1);
});

test('where the bot may not take it out, the room is told all the same: neither waits for the other', async () => {
  await using house = open();
  expect((await house.say('bob', foreign)).join()).toContain('delete it yourself');
  const lanes = house.ledger.outboxAbout({ kind: 'inbox', id: 1 }).map(({ lane }) => lane);
  expect(new Set(lanes).size).toBe(2);
});

test.each(['the token is in the file', 'syt_ is how they begin', '!hello', 'https://example.org/a?b=c'])(
  'ordinary talk is let alone: %s',
  async (text) => {
    await using house = open();
    await house.say('alice', text);
    expect(house.ledger.audit({ act: 'secret' })).toEqual([]);
  },
);
