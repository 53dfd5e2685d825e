import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { AudioSource, LocalAudioTrack, Room, TrackPublishOptions } from '@livekit/rtc-node';
import { AccessToken, RoomServiceClient } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openLiveKit } from '#adapters/livekit/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openLog } from '#adapters/system/log.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';
import { callToken, signal } from '#test/contract/call-world.ts';
import { ScriptedServer } from './scripted-server.ts';

const installMs = 15 * 60_000;
vi.setConfig({ testTimeout: 60_000 });
const clock = new SystemClock();
const keys = { apiKey: 'devkey', apiSecret: 'a-secret-of-more-than-32-characters-xyz' };
const jwt = /eyJ[\w-]+/;

describe('with a real LiveKit', () => {
  let stack: Stack;
  let url: string;
  let real: { apiKey: string; apiSecret: string };
  const cleanUp = new AsyncDisposableStack();
  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'opsroom-livekit-'));
    cleanUp.defer(() => rm(dir, { recursive: true, force: true }));
    stack = cleanUp.use(await openStack({ dir, log: () => undefined, parts: ['livekit'] }));
    ({ url, ...real } = await stack.livekit);
  }, installMs);
  afterAll(async () => cleanUp.disposeAsync());

  test('a wrong secret is misconfigured, and the token that LiveKit repeats is not shown', async () => {
    const { calls } = openLiveKit({ url, apiKey: real.apiKey, apiSecret: keys.apiSecret, clock });
    for (const call of [() => calls.rooms(), () => calls.participants('x'), () => calls.remove('x', 'y')]) {
      const error: unknown = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'misconfigured', effect: 'none' });
      const everything = inspect(error, { depth: 20, showHidden: true });
      expect(everything).toContain('<secret>');
      expect(everything).not.toMatch(jwt);
    }
  });

  test("G1: LiveKit's own error repeats the whole token, and the log hides it", async () => {
    const client = new RoomServiceClient(url, real.apiKey, keys.apiSecret, { failover: false });
    const error: unknown = await client.listRooms().catch((thrown: unknown) => thrown);
    expect(inspect(error, { depth: 20, showHidden: true })).toMatch(jwt);
    const lines: string[] = [];
    for (const format of ['json', 'pretty'] as const) {
      const log = openLog({ level: 'trace', format, write: (line) => void lines.push(line) });
      log.error({ error, cause: error, text: String(error) }, String(error));
    }
    expect(lines).toHaveLength(2);
    expect(lines.join('')).toContain('<secret>');
    expect(lines.join('')).not.toMatch(jwt);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 50 });
  });

  test('what is told of a call holds no TURN password', async () => {
    const { calls } = openLiveKit({ url, ...real, clock });
    const socket = await signal(url, await callToken(real, 'secrets', '@alice:opsroom.test:AAA'));
    const told = JSON.stringify([await calls.rooms(), await calls.participants('secrets')]);
    socket.close();
    expect(told).toContain('@alice:opsroom.test:AAA');
    expect(told).not.toMatch(/turn|password/i);
  });

  test('tells the kind of each track', async () => {
    const { calls } = openLiveKit({ url, ...real, clock });
    const person = new Room();
    await person.connect(url.replace('http', 'ws'), await callToken(real, 'tracks', '@alice:opsroom.test:AAA'));
    try {
      const microphone = LocalAudioTrack.createAudioTrack('microphone', new AudioSource(48_000, 1));
      await person.localParticipant?.publishTrack(microphone, new TrackPublishOptions());
      const tracks = async (): Promise<unknown> => (await calls.participants('tracks'))[0]?.tracks;
      await expect
        .poll(tracks)
        .toEqual([{ sid: expect.stringMatching(/^TR_/) as string, kind: 'audio', muted: false }]);
    } finally {
      await person.disconnect();
    }
  }, 20_000);

  test('a websocket address is taken as well', async () => {
    const livekit = openLiveKit({ url: `${url.replace('http', 'ws')}/`, ...real, clock });
    await livekit.calls.rooms();
    expect((await livekit.probeHealth()).latencyMs).toBeGreaterThan(0);
  });

  test('gone means unavailable, and that nothing was changed', async () => {
    const { calls, probeHealth } = openLiveKit({ url, ...real, clock });
    const livekit = await stack.livekit;
    await livekit.stop();
    try {
      for (const call of [() => calls.rooms(), () => calls.remove('x', 'y'), probeHealth]) {
        await expect(call()).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
      }
    } finally {
      await livekit.start();
    }
    await calls.rooms();
  });
});

test('a removal without an answer may have happened; a list changes nothing', async () => {
  await using server = await ScriptedServer.open('hang');
  const { calls } = openLiveKit({ url: server.url, ...keys, clock, timeoutMs: 200 });
  await expect(calls.remove('x', 'y')).rejects.toMatchObject({ kind: 'unavailable', effect: 'unknown' });
  await expect(calls.rooms()).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
});

test('not ready is unavailable', async () => {
  await using server = await ScriptedServer.open({ status: 406, body: 'Not Ready' });
  const { probeHealth } = openLiveKit({ url: server.url, ...keys, clock });
  await expect(probeHealth()).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('not ready') as string,
  });
});

test('an address that is none is refused at once', () => {
  expect(() => openLiveKit({ url: 'livekit', ...keys, clock })).toThrow(
    expect.objectContaining({ kind: 'misconfigured' }),
  );
});

describe('webhooks', () => {
  const livekit = openLiveKit({ url: 'http://127.0.0.1:9', ...keys, clock });
  const body = JSON.stringify({
    event: 'participant_joined',
    id: 'EV_1',
    room: { name: 'r/1+', turnPassword: 'hidden' },
    participant: { identity: '@mallory:opsroom.test:8448:AAA' },
    somethingNew: true,
  });

  const sign = async (text: string, options: { apiSecret?: string; ttl?: number } = {}): Promise<string> => {
    const token = new AccessToken(keys.apiKey, options.apiSecret ?? keys.apiSecret, { ttl: options.ttl ?? 300 });
    token.sha256 = createHash('sha256').update(text).digest('base64');
    return token.toJwt();
  };

  test('a signed one is read, as text or bytes', async () => {
    const read = { event: 'participant_joined', id: 'EV_1', room: 'r/1+', identity: '@mallory:opsroom.test:8448:AAA' };
    expect(await livekit.verifyWebhook(body, await sign(body))).toEqual(read);
    expect(await livekit.verifyWebhook(Buffer.from(body), await sign(body))).toEqual(read);
  });

  test('one without room and participant is read', async () => {
    const text = JSON.stringify({ event: 'egress_started', id: 'EV_2' });
    const read = { event: 'egress_started', id: 'EV_2', room: undefined, identity: undefined };
    expect(await livekit.verifyWebhook(text, await sign(text))).toEqual(read);
  });

  test('one that was changed, is unsigned, signed by another or too old is denied, without showing its token', async () => {
    const other = 'another-secret-of-more-than-32-characters';
    const cases: Array<[string | Buffer, string | undefined]> = [
      [body.replace('mallory', 'alice'), await sign(body)],
      [`${body} `, await sign(body)],
      [body, undefined],
      [body, 'Bearer nonsense'],
      [body, await sign(body, { apiSecret: other })],
      [body, await sign(body, { ttl: -3600 })],
      [Buffer.from([0xff, 0xfe]), await sign('')],
    ];
    for (const [text, header] of cases) {
      const error: unknown = await livekit.verifyWebhook(text, header).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ name: 'OpsError', kind: 'denied' });
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(jwt);
    }
  });

  test('a signed one that is no event is invalid', async () => {
    for (const text of ['not json', '[]', '{}', '{"event":7}']) {
      await expect(livekit.verifyWebhook(text, await sign(text))).rejects.toMatchObject({ kind: 'invalid' });
    }
  });
});
