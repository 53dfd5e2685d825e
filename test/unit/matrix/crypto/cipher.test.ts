import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseUserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { botUser } from '#test/fakes/house.ts';
import { KeyWorld } from '#test/fixtures/key-world.ts';
import { KeyPeer } from '#test/fixtures/key-peer.ts';

const alice = '@alice:example.org';
const down = new OpsError('unavailable', 'The homeserver had an error.');

let folder: string;
let world: KeyWorld;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opsroom-keys-'));
  world = new KeyWorld(folder);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
const phone = (identity: Parameters<typeof KeyPeer.login>[3] = 'new'): Promise<KeyPeer> =>
  KeyPeer.login(world.server, alice, 'PHONE', identity);
const message = (text: string, more: object = {}): object =>
  expect.objectContaining({ body: { kind: 'message', text, links: [] }, ...more });
const inTheClear = (): unknown[] => world.server.events.filter(({ type }) => type === 'm.room.message');
/** Megolm's session and index of what the bot said, in order. */
const sessions = (): string[] =>
  world.server.events.flatMap(({ type, sender, content }) =>
    type === 'm.room.encrypted' && sender === botUser ? [String(content?.['session_id'])] : [],
  );

describe('an encrypted room', () => {
  test('a command of a signed device is read as such, and the answer is readable there without a warning', async () => {
    const peer = await phone();
    await world.start();
    await peer.say('!help');
    expect(await world.take()).toEqual([message('!help', { proof: 'signed-device', device: 'PHONE' })]);
    await world.send('hello');
    await peer.sync();
    expect(peer.texts()).toEqual(['hello']);
    expect(peer.read.map(({ shield }) => shield)).toEqual(peer.read.map(() => 2)); // ShieldColor.None
    expect(inTheClear()).toEqual([]);
  });

  test('what comes in the clear there says so', async () => {
    const peer = await phone();
    await world.start();
    await peer.sendRaw('m.room.message', { msgtype: 'm.text', body: '!disable bob' });
    expect(await world.take()).toEqual([message('!disable bob', { proof: 'clear', device: undefined })]);
  });

  test('threads, replies and edits are encrypted, and what they relate to is still known', async () => {
    const peer = await phone();
    await world.start();
    await peer.say('!help', { 'm.relates_to': { rel_type: 'm.thread', event_id: '$root' } });
    const edited = await peer.say('* !x', {
      'm.new_content': { msgtype: 'm.text', body: '!x' },
      'm.relates_to': { rel_type: 'm.replace', event_id: '$command' },
    });
    const taken = await world.take();
    expect(taken).toEqual([
      message('!help', { thread: '$root' }),
      expect.objectContaining({ key: edited, body: { kind: 'withdrawn', event: '$command' } }),
    ]);
  });

  test('encryption that is switched on later holds from then on, and for the next process too', async () => {
    await world[Symbol.asyncDispose]();
    world = new KeyWorld(folder, { encrypted: false });
    const peer = await phone();
    await world.start();
    await world.send('in the clear');
    expect(world.envelopes.hasKeys).toBe(false);
    world.encrypt();
    await world.once();
    await world.send('sealed');
    // Synapse lets somebody empty the state; no client takes that as a way back.
    world.server.setState('m.room.encryption', {});
    await world.once();
    await world.send('sealed too');
    await world.stop();
    await world.start();
    await world.send('and after a restart');
    await peer.sync();
    expect(peer.texts()).toEqual(['sealed', 'sealed too', 'and after a restart']);
    expect(inTheClear()).toHaveLength(1);
  });

  test('a room whose state cannot be read is spoken to in no way', async () => {
    world.open();
    world.server.fail(/state\/m\.room\.encryption/, down);
    await expect(world.send('is it encrypted?')).rejects.toThrow(down.message);
    world.server.fail(
      /state\/m\.room\.encryption/,
      new OpsError('notFound', 'The homeserver refused (M_UNRECOGNIZED)', { cause: 'M_UNRECOGNIZED' }),
    );
    await expect(world.send('is it encrypted?')).rejects.toThrow('M_UNRECOGNIZED');
    expect(world.server.events.filter(({ type }) => type?.startsWith('m.room.message'))).toEqual([]);
    await phone();
    await world.send('now it is known');
    expect(inTheClear()).toEqual([]);
    expect(sessions()).toHaveLength(1);
  });
});

describe('whose word it is', () => {
  const doubtOf = async (): Promise<string | undefined> => (await world.take()).at(-1)?.proof;

  test('a device that its owner has not signed', async () => {
    await phone();
    const tablet = await KeyPeer.login(world.server, alice, 'TABLET', 'none');
    await world.start();
    await tablet.say('!disable bob');
    expect(await doubtOf()).toBe('unsigned-device');
  });

  test('somebody without an identity', async () => {
    const peer = await phone('none');
    await world.start();
    await peer.say('!disable bob');
    expect(await doubtOf()).toBe('unsigned-device');
  });

  test('the same session counts as soon as the owner has signed the device', async () => {
    const peer = await phone();
    const tablet = await KeyPeer.login(world.server, alice, 'TABLET', 'none');
    await world.start();
    await tablet.say('!one');
    expect(await doubtOf()).toBe('unsigned-device');
    await peer.signDevice('TABLET');
    await tablet.say('!two');
    expect(await world.take()).toEqual([message('!two', { proof: 'signed-device', device: 'TABLET' })]);
  });

  test('a device that was logged out before its command was read', async () => {
    const peer = await phone();
    await world.start();
    await peer.say('!one');
    await world.take();
    await peer.say('!two');
    world.server.logout(alice, 'PHONE');
    expect(await doubtOf()).toBe('unsigned-device');
  });

  test('an identity that was made anew', async () => {
    world.server.passwords.set(alice, 'secret');
    const peer = await phone();
    await world.start();
    await peer.say('!one');
    expect(await doubtOf()).toBe('signed-device');
    await peer.newIdentity();
    await peer.say('!two');
    expect(await doubtOf()).toBe('unsigned-device');
    const cipher = await world.envelopes.cipher();
    const [known] = await cipher.lookAt([parseUserId(alice)]);
    expect(known).toMatchObject({ identity: 'changed', signed: 1 });
    await expect(cipher.accept(parseUserId(alice), 'another')).rejects.toMatchObject({ kind: 'conflict' });
    await cipher.accept(parseUserId(alice), known!.fingerprint!);
    await peer.say('!three');
    expect(await doubtOf()).toBe('signed-device');
  });

  test('the first command of somebody who joins with it in one sync', async () => {
    await world.start();
    const bob = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    await bob.say('!hello');
    expect(await world.take()).toEqual([message('!hello', { proof: 'signed-device' })]);
  });

  test('a ciphertext that comes again under another event id is nobody’s word', async () => {
    const peer = await phone();
    await world.start();
    const first = await peer.say('!disable bob');
    const { content } = world.server.events.find(({ event_id: id }) => id === first)!;
    await peer.sendRaw('m.room.encrypted', content!);
    expect(await world.take()).toHaveLength(1);
    await peer.sendRaw('m.room.encrypted', content!);
    expect(await world.take()).toEqual([]);
    expect(world.storage.ledger.sealedItems()).toEqual([]);
  });

  test('a ciphertext of somebody else under one’s own name', async () => {
    const peer = await phone();
    const bob = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    await world.start();
    await peer.say('!one');
    await world.take();
    await peer.say('!disable carol');
    const stolen = world.server.events.pop()!;
    await bob.sendRaw('m.room.encrypted', stolen.content!);
    const [item] = await world.take();
    expect(item?.proof ?? 'unsigned-device').not.toBe('signed-device');
  });
});

describe('who gets the key', () => {
  test('members’ signed devices, and no others', async () => {
    const peer = await phone();
    const tablet = await KeyPeer.login(world.server, alice, 'TABLET', 'none');
    const outsider = await KeyPeer.login(world.server, '@eve:example.org', 'EVE');
    await world.start();
    await world.send('for signed devices');
    for (const one of [peer, tablet, outsider]) await one.sync();
    expect(peer.texts()).toEqual(['for signed devices']);
    expect(tablet.texts()).toEqual([]);
    expect(outsider.texts()).toEqual([]);
  });

  test('one key serves many messages, and none is asked for anew', async () => {
    await phone();
    await world.start();
    await world.send('one');
    await world.once();
    await world.send('two');
    const before = world.server.asked.length;
    for (let n = 0; n < 20; n += 1) await world.send(`more ${n}`);
    expect(new Set(sessions()).size).toBe(1);
    expect(world.server.asked.slice(before).map(({ path }) => path.split('/')[6])).toEqual(
      Array.from({ length: 20 }, () => 'send'),
    );
  });

  test('a new one when somebody leaves, which they do not get', async () => {
    const bob = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    await phone();
    await world.start();
    await world.send('with bob');
    world.server.leave('@bob:example.org');
    await world.once();
    await world.send('without bob');
    await bob.sync();
    expect(bob.texts()).toEqual(['with bob']);
    expect(new Set(sessions()).size).toBe(2);
  });

  test('who left while the bot was away gets none, also before the first sync', async () => {
    const bob = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    const peer = await phone();
    await world.start();
    await world.stop();
    world.server.leave('@bob:example.org');
    world.open();
    await world.send('without bob');
    await Promise.all([bob.sync(), peer.sync()]);
    expect([bob.texts(), peer.texts()]).toEqual([[], ['without bob']]);
  });

  test('a new one when a device is logged out', async () => {
    await phone();
    const second = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    await world.start();
    await world.send('one');
    await second.sync();
    world.server.logout('@bob:example.org', 'DESK');
    await world.once();
    await world.send('two');
    expect(new Set(sessions()).size).toBe(2);
  });

  test('a device that is signed later reads on from there', async () => {
    const peer = await phone();
    await world.start();
    await world.send('before');
    const tablet = await KeyPeer.login(world.server, alice, 'TABLET', await peer.seeds());
    await world.once();
    await world.send('after');
    await tablet.sync();
    expect(tablet.texts()).toEqual(['after']);
  });

  test('a new one after the number of messages and the time that the room says, without a panic', async () => {
    world.server.setState('m.room.encryption', {
      algorithm: 'm.megolm.v1.aes-sha2',
      rotation_period_msgs: 3,
      rotation_period_ms: 600_000,
    });
    const peer = await phone();
    await world.start();
    for (let n = 0; n < 10; n += 1) await world.send(`nr ${n}`);
    expect(new Set(sessions()).size).toBeGreaterThanOrEqual(4);
    const before = new Set(sessions());
    await world.clock.advance(600_000);
    await world.send('later');
    await peer.sync();
    expect(peer.texts()).toEqual([...Array.from({ length: 10 }, (_, n) => `nr ${n}`), 'later']);
    expect(before.size).toBeGreaterThan(0);
  });

  test.each([
    ['the people’s devices cannot be asked for', /keys\/query/],
    ['their one-time keys cannot be had', /keys\/claim/],
    ['the key cannot be handed over', /sendToDevice/],
  ])('when %s, nothing is said, and everybody can read it when it is', async (_, path) => {
    const peer = await phone();
    await world.start();
    const bob = await KeyPeer.login(world.server, '@bob:example.org', 'DESK');
    world.server.join('@bob:example.org');
    world.server.fail(path, down, 1000);
    await world.once().catch(() => {});
    await expect(world.send('careful')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(sessions()).toEqual([]);
    world.server.mend();
    await world.once();
    await world.send('careful');
    for (const one of [peer, bob]) {
      await one.sync();
      expect(one.texts()).toEqual(['careful']);
    }
  });

  test('the same transaction sent again is one event, though encrypted anew', async () => {
    const peer = await phone();
    await world.start();
    const first = await world.send('once', 'txn');
    expect(await world.send('once', 'txn')).toBe(first);
    await world.send('next');
    await peer.sync();
    expect(peer.texts()).toEqual(['once', 'next']);
  });
});

describe('what cannot be read', () => {
  test('waits for its key and is taken then, in the order in which it was said', async () => {
    const peer = await phone();
    await world.start();
    world.server.holdKeys = true;
    await peer.say('!one');
    await peer.say('!two');
    expect(await world.take()).toEqual([]);
    expect(world.storage.ledger.sealedItems()).toHaveLength(2);
    world.server.releaseKeys();
    expect(await world.take()).toEqual([message('!one', { proof: 'signed-device' }), message('!two')]);
    expect(world.storage.ledger.sealedItems()).toEqual([]);
  });

  test('is tried again by the next process', async () => {
    const peer = await phone();
    await world.start();
    world.server.holdKeys = true;
    await peer.say('!one');
    await world.take();
    await world.stop();
    world.server.releaseKeys();
    world.open();
    expect(await world.take()).toEqual([message('!one', { proof: 'signed-device' })]);
  });

  test('what was taken back meanwhile is never read', async () => {
    const peer = await phone();
    await world.start();
    world.server.holdKeys = true;
    const event = await peer.say('!disable bob');
    await world.take();
    await peer.sendRaw('m.room.redaction', { redacts: event });
    await world.take();
    world.server.releaseKeys();
    const taken = await world.take();
    expect(taken.filter(({ body }) => body.kind === 'message')).toEqual([]);
  });

  test('what a client keeps from unverified devices says so', async () => {
    const { CollectStrategy } = await import('@matrix-org/matrix-sdk-crypto-wasm');
    const peer = await phone();
    await world.start();
    await peer.say('!one', {}, CollectStrategy.onlyTrustedDevices());
    await world.take();
    const [item] = world.storage.ledger.sealedItems();
    expect(item?.body).toMatchObject({ kind: 'sealed', why: 'withheld:m.unverified' });
  });

  test('a flood of it is bounded', async () => {
    const peer = await phone();
    await world.start();
    for (let n = 0; n < 230; n += 1) {
      await peer.sendRaw('m.room.encrypted', {
        algorithm: 'm.megolm.v1.aes-sha2',
        ciphertext: `x${n}`,
        session_id: 's',
      });
    }
    await world.once();
    expect(world.storage.ledger.sealedItems()).toHaveLength(200);
  });
});

describe('the keys on disk', () => {
  test('another process may not use them at the same time', async () => {
    await phone();
    await world.start();
    const { KeyStore } = await import('#adapters/matrix/crypto/key-store.ts');
    expect(() => KeyStore.open(join(folder, 'crypto.db'))).toThrow(/Another process has the bot's keys/);
  });

  test('only the bot’s user may open the files', async () => {
    await phone();
    await world.start();
    for (const name of ['crypto.db', 'cross-signing.json'])
      expect((statSync(join(folder, name)).mode & 0o777).toString(8)).toBe('600');
  });

  test('a restart goes on with the same device and identity, and never with a message index of before', async () => {
    const peer = await phone();
    await world.start();
    await world.send('before');
    const before = world.server.keysOf(botUser, 'BOT');
    await world.stop();
    world.open();
    await world.once();
    await world.send('after');
    await peer.sync();
    expect(peer.texts()).toEqual(['before', 'after']);
    expect(world.server.keysOf(botUser, 'BOT')).toEqual(before);
    expect(new Set(sessions()).size).toBe(2);
  });

  test('a token without a device is refused, with what to do', async () => {
    world.device = undefined;
    world.open();
    await expect(world.envelopes.cipher()).rejects.toMatchObject({ kind: 'misconfigured', hint: /logging in/ });
  });

  test('encrypted while the bot was away: nothing is said in the clear before it has heard of it', async () => {
    await world[Symbol.asyncDispose]();
    world = new KeyWorld(folder, { encrypted: false });
    await world.start();
    await world.send('clear');
    await world.stop();
    world.encrypt();
    const peer = await phone();
    world.open();
    await world.send('secret');
    await peer.sync();
    expect(peer.texts()).toContain('secret');
    expect(inTheClear().map((event) => (event as { content: { body: string } }).content.body)).toEqual(['clear']);
  });

  test('in a clear room nothing is opened', async () => {
    await world[Symbol.asyncDispose]();
    world = new KeyWorld(folder, { encrypted: false });
    await world.start();
    await world.send('clear');
    await world.once();
    expect(world.envelopes.hasKeys).toBe(false);
    expect(world.server.asked.filter(({ path }) => /keys|whoami/.test(path))).toEqual([]);
  });
});
