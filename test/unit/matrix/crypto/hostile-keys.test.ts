import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { botUser } from '#test/fakes/house.ts';
import { KeyPeer } from '#test/fixtures/key-peer.ts';
import { KeyWorld } from '#test/fixtures/key-world.ts';

const alice = '@alice:example.org';
const eve = '@eve:example.org';

let folder: string;
let world: KeyWorld;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opsroom-hostile-'));
  world = new KeyWorld(folder);
});
afterEach(async () => {
  vi.useRealTimers();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe('the clock is set, as NTP and a machine that was paused do', () => {
  test.each([
    ['back by an hour', -3_600_000],
    ['back by two seconds', -2000],
    ['on by an hour', 3_600_000],
    ['on by eight days', 8 * 86_400_000],
  ])('%s: no key is used that the library takes for expired, which would end the process', async (_, byMs) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const peer = await KeyPeer.login(world.server, alice, 'PHONE');
    await world.start();
    await world.send('before');
    vi.setSystemTime(Date.now() + byMs);
    world.clock.setWall(world.clock.now() + byMs);
    await world.send('after');
    await world.send('and on');
    await peer.sync();
    expect(peer.texts()).toEqual(['before', 'after', 'and on']);
  });
});

const odd: object[] = [
  {},
  { algorithm: 5 },
  { algorithm: 'm.olm.v1.curve25519-aes-sha2' },
  { algorithm: 'm.megolm.v1.aes-sha2' },
  { algorithm: 'm.olm.v1.curve25519-aes-sha2', sender_key: 'x', ciphertext: {} },
  { algorithm: 'm.olm.v1.curve25519-aes-sha2', sender_key: 'x', ciphertext: 'x' },
  {
    algorithm: 'm.olm.v1.curve25519-aes-sha2',
    sender_key: 'A'.repeat(43),
    ciphertext: { ['A'.repeat(43)]: { type: 0, body: 'AAAA' } },
  },
  { algorithm: 'm.megolm.v1.aes-sha2', room_id: '!x', session_id: 's', session_key: 'k' },
  {
    algorithm: 'm.megolm.v1.aes-sha2',
    room_id: '!ops:example.org',
    session_id: 's',
    session_key: 'AAAA'.repeat(60),
    sender_key: 'x',
  },
  {
    algorithm: 'm.megolm.v1.aes-sha2',
    room_id: '!ops:example.org',
    session_id: 's',
    sender_key: 'x',
    code: 'm.unverified',
    reason: 5,
  },
  { transaction_id: 't', from_device: 'X', methods: ['m.sas.v1'], timestamp: 1e300 },
  { transaction_id: 't', from_device: 'X', methods: ['m.sas.v1'], timestamp: Date.now() },
  {
    transaction_id: 't',
    from_device: 'X',
    method: 'm.sas.v1',
    key_agreement_protocols: ['curve25519-hkdf-sha256'],
    hashes: ['sha256'],
    message_authentication_codes: ['hkdf-hmac-sha256.v2'],
    short_authentication_string: ['decimal'],
  },
  { transaction_id: 't', code: 'm.user', reason: 'x' },
  { transaction_id: 't', key: 'x' },
  { transaction_id: 't', mac: {}, keys: 'x' },
  {
    action: 'request',
    requesting_device_id: 'X',
    request_id: 'r',
    body: { algorithm: 'm.megolm.v1.aes-sha2', room_id: '!ops:example.org', session_id: 's', sender_key: 'x' },
  },
  { action: 'request', requesting_device_id: 'X', request_id: 'r', name: 'm.cross_signing.master' },
  { request_id: 'r', secret: 'x' },
  { name: 1 },
  { a: '\u0000', b: null, c: [[[[]]]], d: 1e308 },
];
const types = [
  'm.room.encrypted',
  'm.room_key',
  'm.forwarded_room_key',
  'm.room_key.withheld',
  'org.matrix.room_key.withheld',
  'm.room_key_request',
  'm.secret.request',
  'm.secret.send',
  'm.dummy',
  'm.key.verification.request',
  'm.key.verification.ready',
  'm.key.verification.start',
  'm.key.verification.accept',
  'm.key.verification.key',
  'm.key.verification.mac',
  'm.key.verification.cancel',
  'm.key.verification.done',
  'x',
  '',
];

test('to-device messages of any shape, from somebody who is not in the room: the bot hears and speaks on', async () => {
  const peer = await KeyPeer.login(world.server, alice, 'PHONE');
  await KeyPeer.login(world.server, eve, 'X');
  await world.start();
  const send = world.server.requestFor(eve, 'X');
  for (const type of types) {
    for (const [n, content] of [...odd, 'text', null, 5, []].entries()) {
      const messages = { [botUser]: { BOT: content } };
      await send('PUT', `/_matrix/client/v3/sendToDevice/${type}/${type}${n}`, null, { messages });
    }
    await world.once();
  }
  await peer.say('!help');
  expect(await world.take()).toMatchObject([{ body: { text: '!help' }, proof: 'signed-device' }]);
  await world.send('still there');
  await peer.sync();
  expect([peer.texts(), world.fatal, world.lost]).toEqual([['still there'], [], []]);
});

test('encrypted events of any shape: each waits or is left alone, and what comes after them is read', async () => {
  const peer = await KeyPeer.login(world.server, alice, 'PHONE');
  await world.start();
  const first = await peer.say('!one');
  await world.take();
  const good = world.server.events.find(({ event_id: id }) => id === first)!.content!;
  const text = String(good['ciphertext']);
  const contents: object[] = [
    ...odd.map((content) => ({ ciphertext: 'AAAA', ...content })),
    ...[5, undefined, '', '\u0000', 'x'.repeat(60_000)].map((session) => ({ ...good, session_id: session })),
    ...[undefined, 'm.x', {}].map((algorithm) => ({ ...good, algorithm })),
    ...['', '💥', text.slice(0, 9), text.slice(0, -4), `${text}!`, ` ${text}`, `A${text.slice(1)}`].map(
      (ciphertext) => ({
        ...good,
        ciphertext,
      }),
    ),
    ...[5, { rel_type: 5 }, { rel_type: 'm.thread' }].map((relates) => ({ ...good, 'm.relates_to': relates })),
    { ...good, sender_key: '', device_id: {} },
  ];
  for (const content of contents) await peer.sendRaw('m.room.encrypted', content);
  const outside: object[] = [
    ...['nobody', '@:example.org', '@ü:example.org'].map((sender) => ({ sender })),
    ...[-5, 1.5, 1e300, 'x', null].map((at) => ({ origin_server_ts: at })),
    { unsigned: 5 },
    { room_id: '!else:x' },
    { state_key: 5 },
  ];
  for (const fields of outside) {
    await peer.sendRaw('m.room.encrypted', { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 's' });
    Object.assign(world.server.events.at(-1)!, fields);
    await peer.sendRaw('m.room.message', { msgtype: 'm.text', body: '!two' });
    Object.assign(world.server.events.at(-1)!, fields);
  }
  await peer.say('!last');
  const taken = await world.take();
  expect(taken.at(-1)).toMatchObject({ body: { text: '!last' }, proof: 'signed-device' });
  // None of the others is a word of a signed device.
  expect(taken.filter(({ proof }) => proof === 'signed-device')).toHaveLength(1);
});

test('an encryption rule that nobody can follow silences nobody', async () => {
  const peer = await KeyPeer.login(world.server, alice, 'PHONE');
  await world.start();
  const rules = [
    { algorithm: 'm.evil' },
    { algorithm: 5, rotation_period_ms: 'x', rotation_period_msgs: -5 },
    { rotation_period_ms: -1, rotation_period_msgs: 0 },
    { rotation_period_ms: 2 ** 52, rotation_period_msgs: 1e300 },
  ];
  for (const [n, rule] of rules.entries()) {
    world.server.setState('m.room.encryption', rule);
    await world.once();
    await world.send(`rule ${n}`);
    await world.send(`still rule ${n}`);
  }
  await peer.sync();
  expect(peer.texts()).toEqual(rules.flatMap((_, n) => [`rule ${n}`, `still rule ${n}`]));
});

test('a member whose id the crypto library does not take: the others are spoken to', async () => {
  const peer = await KeyPeer.login(world.server, alice, 'PHONE');
  await world.start();
  world.server.setState('m.room.member', { membership: 'join' }, '@x:evil.example:99999999');
  await world.once();
  await world.send('hello');
  world.server.setState('m.room.member', { membership: 'leave' }, '@x:evil.example:99999999');
  await peer.sync();
  expect(peer.texts()).toEqual(['hello']);
});

describe('what cannot be read yet is taken back by who said it alone', () => {
  test('a redaction inside an envelope, of somebody else’s', async () => {
    const peer = await KeyPeer.login(world.server, alice, 'PHONE');
    const other = await KeyPeer.login(world.server, eve, 'X');
    world.server.join(eve);
    await world.start();
    await other.say('hello');
    await world.take();
    world.server.holdKeys = true;
    const event = await peer.say('!disable bob');
    await world.take();
    await other.sendEvent('m.room.redaction', { redacts: event });
    await world.take();
    world.server.releaseKeys();
    expect(await world.take()).toMatchObject([{ key: event, body: { text: '!disable bob' } }]);
  });

  test('an edit, readable before it or with it: what was said first asks nothing', async () => {
    const peer = await KeyPeer.login(world.server, alice, 'PHONE');
    const tablet = await KeyPeer.login(world.server, alice, 'TABLET', await peer.seeds());
    await world.start();
    await tablet.say('hello');
    await world.take();
    world.server.holdKeys = true;
    const [one, two] = [await peer.say('!one'), await peer.say('!two')];
    await world.take();
    const edit = (of: string): object => ({ 'm.relates_to': { rel_type: 'm.replace', event_id: of } });
    await tablet.say('* !none', edit(one));
    await peer.say('* !none', edit(two));
    expect(await world.take()).toMatchObject([{ body: { kind: 'withdrawn', event: one } }]);
    world.server.releaseKeys();
    expect(await world.take()).toMatchObject([{ body: { kind: 'withdrawn', event: two } }]);
  });

  test('a flood of what nobody can read pushes out none of the others', async () => {
    const peer = await KeyPeer.login(world.server, alice, 'PHONE');
    const other = await KeyPeer.login(world.server, eve, 'X');
    await world.start();
    world.server.join(eve);
    world.server.holdKeys = true;
    const event = await peer.say('!disable bob');
    const content = { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', session_id: 's' };
    for (let n = 0; n < 230; n += 1) await other.sendRaw('m.room.encrypted', content);
    await world.once();
    expect(world.storage.ledger.sealedItems()).toHaveLength(200);
    world.server.releaseKeys();
    expect(await world.take()).toMatchObject([{ key: event }]);
  });
});
