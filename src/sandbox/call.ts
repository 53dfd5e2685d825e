import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { callRoomName } from '#domain/calls.ts';
import { OpsError } from '#domain/errors.ts';
import { parseRoomId } from '#domain/rooms.ts';
import type { CallAnswer, CallOrder } from './call-participants.ts';
import { pause } from './lock.ts';

/** A call of real participants, in a process of their own: their native threads and memory aren't the bot's. */
export interface Call extends AsyncDisposable {
  /** LiveKit's name for the call of the Matrix room. */
  readonly roomName: string;
  readonly pid: number;
  /** The token that an identity joins with; it stays valid when the person was removed. */
  tokenOf(identity: string): string;
  /** Joins, also again; resolves once connected, rejects when LiveKit refuses. */
  join(identity: string): Promise<void>;
  leave(identity: string): Promise<void>;
  /** Who believes to be connected. One that was removed while connecting may not know it yet. */
  list(): Promise<string[]>;
}

export type CallServer = { url: string; apiKey: string; apiSecret: string };
export type CallOptions = { logFile?: string };

const answerWithinMs = 20_000;

/** Starts a call in a Matrix room and lets everyone join. Identities are `@user:server:DEVICE`. */
export async function startCall(
  server: CallServer,
  matrixRoomId: string,
  identities: readonly string[],
  options: CallOptions = {},
): Promise<Call> {
  const roomName = callRoomName(parseRoomId(matrixRoomId));
  const log = openSync(options.logFile ?? '/dev/null', 'a', 0o600);
  const script = join(import.meta.dirname, 'call-participants.ts');
  const child = spawn('setpriv', ['--pdeathsig=SIGKILL', process.execPath, '--no-warnings', script], {
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', log],
  });
  closeSync(log);
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new OpsError('unavailable', 'The process of the participants could not be started.');
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve()).once('error', () => resolve());
  });
  stdin.on('error', () => undefined);
  const waiting = new Map<number, (answer: CallAnswer) => void>();
  createInterface(stdout).on('line', (line) => {
    // The native library writes its own lines here.
    if (!line.startsWith('{"answer"')) return;
    const answer = JSON.parse(line) as CallAnswer;
    waiting.get(answer.answer)?.(answer);
    waiting.delete(answer.answer);
  });
  let orders = 0;
  const tokens = new Map(identities.map((identity) => [identity, accessToken(server, roomName, identity)]));
  const tokenOf = (identity: string) => {
    const token = tokens.get(identity) ?? accessToken(server, roomName, identity);
    tokens.set(identity, token);
    return token;
  };
  const tell = async (order: Omit<CallOrder, 'id'>): Promise<string[]> => {
    const id = (orders += 1);
    const timer = new AbortController();
    const answer = await Promise.race([
      new Promise<CallAnswer>((resolve) => {
        waiting.set(id, resolve);
        stdin.write(`${JSON.stringify({ id, ...order })}\n`);
      }),
      exited.then(() => ({ answer: id, error: 'the process of the participants ended' })),
      pause(answerWithinMs, timer.signal).then(() => ({
        answer: id,
        error: `no answer in ${answerWithinMs / 1000} s`,
      })),
    ]);
    timer.abort();
    waiting.delete(id);
    if ('identities' in answer) return answer.identities;
    throw new OpsError('unavailable', `The call could not ${order.do}: ${answer.error}.`, { effect: 'unknown' });
  };
  const stop = async () => {
    stdin.end();
    const timer = new AbortController();
    await Promise.race([exited, pause(1500, timer.signal).catch(() => undefined)]);
    timer.abort();
    child.kill('SIGKILL');
    await exited;
  };
  const call: Call = {
    roomName,
    pid: child.pid ?? 0,
    tokenOf,
    join: async (identity) => void (await tell({ do: 'join', identity, url: server.url, token: tokenOf(identity) })),
    leave: async (identity) => void (await tell({ do: 'leave', identity })),
    list: () => tell({ do: 'list' }),
    [Symbol.asyncDispose]: stop,
  };
  try {
    await Promise.all(identities.map((identity) => call.join(identity)));
    return call;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What lk-jwt-service hands out: join, publish and subscribe in one room, for an hour. */
export function accessToken(server: CallServer, roomName: string, identity: string): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const nowSeconds = Math.floor(Date.now() / 1000);
  const grants = { room: roomName, roomJoin: true, canPublish: true, canSubscribe: true, canUpdateOwnMetadata: true };
  const claims = { iss: server.apiKey, sub: identity, nbf: nowSeconds - 10, exp: nowSeconds + 3600, video: grants };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', server.apiSecret).update(signed).digest('base64url')}`;
}
