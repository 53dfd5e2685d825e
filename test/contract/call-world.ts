import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessToken } from 'livekit-server-sdk';
import type { CallServer } from '#domain/calls.ts';
import { openLiveKit } from '#adapters/livekit/open.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openStack } from '#sandbox/stack.ts';
import { FakeCallServer } from '#test/fakes/calls.ts';
import { FakeClock } from '#test/fakes/clock.ts';

export interface CallWorld extends AsyncDisposable {
  calls: CallServer;
  now(): number;
  join(room: string, identity: string): Promise<void>;
}

export const callWorlds: Array<[string, () => Promise<CallWorld>]> = [
  ['fake', () => Promise.resolve(fakeWorld())],
  ['LiveKit', liveKitWorld],
];

function fakeWorld(): CallWorld {
  const clock = new FakeClock();
  const calls = new FakeCallServer(clock);
  return {
    calls,
    now: () => clock.now(),
    join: (room, identity) => Promise.resolve(calls.join(room, identity, [])),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function liveKitWorld(): Promise<CallWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-calls-'));
  await using opening = new AsyncDisposableStack();
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const stack = opening.use(await openStack({ dir, log: () => undefined, parts: ['livekit'] }));
  const { url, apiKey, apiSecret } = await stack.livekit;
  const sockets = new Set<WebSocket>();
  opening.defer(() => sockets.forEach((socket) => socket.close()));
  const { calls } = openLiveKit({ url, apiKey, apiSecret, clock: new SystemClock() });
  const opened = opening.move();
  return {
    calls,
    now: () => Date.now(),
    async join(room, identity) {
      sockets.add(await signal(url, await callToken({ apiKey, apiSecret }, room, identity)));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

export async function callToken(
  keys: { apiKey: string; apiSecret: string },
  room: string,
  identity: string,
): Promise<string> {
  const token = new AccessToken(keys.apiKey, keys.apiSecret, { identity, ttl: 600 });
  token.addGrant({ roomJoin: true, room });
  return token.toJwt();
}

/** Joins by signalling only: without media LiveKit lists the participant for 18 s at least. */
export async function signal(url: string, token: string): Promise<WebSocket> {
  const query = new URLSearchParams({ access_token: token, protocol: '15', auto_subscribe: '1' });
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/rtc?${query.toString()}`);
  socket.binaryType = 'arraybuffer';
  const joined = Promise.withResolvers<undefined>();
  // The first message is the answer to the join.
  socket.addEventListener('message', () => joined.resolve(undefined), { once: true });
  socket.addEventListener('error', () => joined.reject(new Error('LiveKit refused the socket')), { once: true });
  socket.addEventListener('close', () => joined.reject(new Error('LiveKit closed the socket')), { once: true });
  await joined.promise;
  return socket;
}
