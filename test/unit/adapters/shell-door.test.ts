import { chmod, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { converse, knock } from '#adapters/shell/call.ts';
import { type Caller, openDoor, type Serve, socketIn } from '#adapters/shell/listen.ts';
import type { Call } from '#adapters/shell/wire.ts';
import { ShellTerminal } from '#src/exec-terminal.ts';
import { FakeLog } from '#test/fakes/log.ts';
import { callBadly, FakeTerminal } from '#test/fixtures/shell-caller.ts';

const own = process.getuid?.() ?? -1;
const isRoot = own === 0;
let directory: string;
let calls: Array<{ caller: Caller; call: Call }>;
const echo: Serve = async (caller, call, { tell }) => {
  calls.push({ caller, call });
  tell({ kind: 'said', text: `you said ${call.text}` });
  return call.text !== '!fail';
};
const open = (place: { shared?: boolean; directory?: string } = {}, serve = echo): Promise<AsyncDisposable> =>
  openDoor({ directory, shared: false, ...place }, serve, new FakeLog());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'door-'));
  calls = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function call(text: string, terminal = new FakeTerminal(), more: Partial<Call> = {}): Promise<boolean> {
  const door = await knock(socketIn(directory));
  if (door === undefined) throw new Error('nobody listens');
  return converse(door, { text, ...more }, terminal);
}

describe('the socket', () => {
  test('is for its own user, in a place for its own user, and gone when the bot is', async () => {
    const door = await open();
    expect((await lstat(socketIn(directory))).mode & 0o777).toBe(0o600);
    expect((await lstat(join(directory, 'door.proofs'))).mode & 0o7777).toBe(0o700);
    await door[Symbol.asyncDispose]();
    expect(await knock(socketIn(directory))).toBeUndefined();
  });

  test('the shared one is open to all, and shows nobody who else is calling', async () => {
    await using _door = await open({ shared: true });
    expect((await lstat(socketIn(directory))).mode & 0o777).toBe(0o666);
    expect((await lstat(join(directory, 'door.proofs'))).mode & 0o7777).toBe(0o1733);
  });

  test('a stale socket of a killed process is taken over', async () => {
    const left = createServer();
    await new Promise<void>((resolve) => left.listen(join(directory, 'old'), resolve));
    // As a kill leaves it: the file stays, nobody listens.
    const { rename } = await import('node:fs/promises');
    await rename(join(directory, 'old'), socketIn(directory));
    await new Promise((resolve) => left.close(resolve));
    expect((await lstat(socketIn(directory))).isSocket()).toBe(true);
    await using _door = await open();
    expect(await call('!status')).toBe(true);
  });

  test('taken: another program listens there', async () => {
    await using _door = await open();
    await expect(open()).rejects.toMatchObject({ kind: 'misconfigured', message: /Another program listens/ });
    expect(await call('!status')).toBe(true);
  });

  test('a file in its place is left alone', async () => {
    await writeFile(socketIn(directory), 'mine');
    await expect(open()).rejects.toMatchObject({ kind: 'misconfigured', message: /in the way/ });
  });

  test('no door where others may write: neither opened nor knocked at', async () => {
    await chmod(directory, 0o777);
    await expect(open()).rejects.toMatchObject({ message: /Others may write/, hint: `Type: chmod go-w ${directory}` });
    await chmod(directory, 0o700);
    await using _door = await open();
    await chmod(directory, 0o770);
    await expect(knock(socketIn(directory))).rejects.toMatchObject({ kind: 'denied', message: /may not be the bot/ });
  });

  test('a path that no socket can have', async () => {
    const long = join(directory, 'x'.repeat(100));
    await expect(open({ directory: long })).rejects.toMatchObject({ message: /too long for a socket/ });
  });
});

describe('who calls', () => {
  test('is proved by the kernel, and no proof is left', async () => {
    await using _door = await open();
    const terminal = new FakeTerminal();
    expect(await call('!status', terminal)).toBe(true);
    expect(calls[0]?.caller).toMatchObject({ proved: own, behalf: undefined });
    expect(calls[0]?.caller.names).toContain(String(own));
    expect(terminal.text).toBe('you said !status');
    expect(await readdir(join(directory, 'door.proofs'))).toEqual([]);
  });

  test('nobody who proves nothing, or not as it has to be', async () => {
    await using _door = await open();
    for (const how of [{ proof: false }, { mode: 0o755 }]) {
      expect(await callBadly(socketIn(directory), how)).toMatchObject({ kind: 'end', well: false });
    }
    expect(calls).toEqual([]);
  });

  test('the wrong user may not speak for another; root and the bot’s own may', async (context) => {
    await using _door = await open({ shared: true });
    expect(await call('!status', new FakeTerminal(), { behalf: 4242 })).toBe(true);
    expect(calls[0]?.caller).toEqual({ proved: own, behalf: 4242, names: ['4242'] });
    if (!isRoot) return context.skip('only root can be another Unix user');
    const answer = await callBadly(socketIn(directory), { uid: 4243, send: { text: '!status', behalf: 0 } });
    expect(answer).toMatchObject({ kind: 'end', well: false, text: /Only root and the bot/ });
    expect(await callBadly(socketIn(directory), { uid: 4243 })).toMatchObject({ kind: 'end', well: true });
    expect(calls.map(({ caller }) => caller.proved)).toEqual([own, 4243]);
  });

  test('what is no call is not served', async () => {
    await using _door = await open();
    for (const send of [{}, { text: '' }, { text: 7 }, 'no json\n', `${'x'.repeat(200_000)}\n`]) {
      expect(await callBadly(socketIn(directory), { send })).toBeUndefined();
    }
    expect(calls).toEqual([]);
    expect(await call('!status')).toBe(true);
  });

  test('a door that asks for a directory elsewhere gets none', async () => {
    const elsewhere = join(directory, 'elsewhere');
    const trap = createServer((socket) => void socket.write(`${JSON.stringify({ v: 1, challenge: elsewhere })}\n`));
    await new Promise<void>((resolve) => trap.listen(socketIn(directory), resolve));
    await expect(call('!status')).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await readdir(directory)).not.toContain('elsewhere');
    trap.close();
  });
});

describe('a crowd', () => {
  const crowd = async (count: number): Promise<Socket[]> => {
    const sockets = Array.from({ length: count }, () => connect(socketIn(directory)).on('error', () => undefined));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    return sockets;
  };

  test('of programs that connect and say nothing shuts nobody out', async () => {
    await using _door = await open();
    const silent = await crowd(40);
    expect(await call('!status')).toBe(true);
    for (const socket of silent) socket.destroy();
  });

  test('of calls that are being served: one more is told so, and that nothing was done', async () => {
    const held = Promise.withResolvers<boolean>();
    let served = 0;
    await using _door = await open({}, () => {
      served += 1;
      return served > 16 ? Promise.resolve(true) : held.promise;
    });
    const calls = Array.from({ length: 16 }, () => call('!backup now'));
    await expect.poll(() => served).toBe(16);
    await expect(call('!status')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/as many are open\. Nothing was done\.$/),
    });
    held.resolve(true);
    expect(await Promise.all(calls)).toEqual(calls.map(() => true));
    await expect.poll(() => call('!status').catch(() => false)).toBe(true);
  });
});

test('more than the door takes is refused before anything is asked for', async () => {
  await using _door = await open();
  const long = call(`!disable ${'x'.repeat(20_000)}`);
  await expect(long).rejects.toMatchObject({ kind: 'invalid', message: /longer than 20000.*Nothing was done/ });
  expect(calls).toEqual([]);
});

test('a terminal whose reader has gone: what was asked for goes on to its end', async () => {
  await using _door = await open();
  const gone = new Writable({ write: (_text, _encoding, done) => done(new Error('write EPIPE')) });
  using terminal = new ShellTerminal({ input: Readable.from([]), output: gone });
  const door = await knock(socketIn(directory));
  expect(await converse(door!, { text: '!status' }, terminal)).toBe(true);
});

test('a question is answered by whoever sits there, and what failed is told', async () => {
  const asks: Serve = async (_caller, { text }, { tell, answerTo }) => {
    if (text === '!boom') throw new Error('secret detail');
    tell({ kind: 'question', code: '7f3a' });
    return (await answerTo('7f3a')) === true;
  };
  await using _door = await open({}, asks);
  expect(await call('!x', new FakeTerminal(true))).toBe(true);
  expect(await call('!x', new FakeTerminal(false))).toBe(false);
  const terminal = new FakeTerminal();
  expect(await call('!boom', terminal)).toBe(false);
  expect(terminal.text).toBe('Internal error.');
});

test('a bot that dies in the middle: it may have been done', async () => {
  const dies = createServer((socket) => {
    socket.write(`${JSON.stringify({ v: 1, challenge: join(directory, 'door.proofs', '0'.repeat(32)) })}\n`);
    socket.once('data', () => socket.destroy());
  });
  await mkdir(join(directory, 'door.proofs'));
  await new Promise<void>((resolve) => dies.listen(socketIn(directory), resolve));
  await expect(call('!status')).rejects.toMatchObject({ kind: 'unavailable', effect: 'unknown' });
  dies.close();
});
