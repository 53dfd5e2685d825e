import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { findStrace, type Strace } from '#test/fixtures/strace.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// What the kernel saw: the answer's row goes into the write-ahead log, the log is synced, and only then goes the answer out.
const commands = 100;
const calls = 'pwrite64,fdatasync,fsync,write,writev,sendto,sendmsg';

let world: OpsRoom;
let bot: BotProcess;
let strace: Strace | undefined;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  strace = await findStrace(join(world.stack.dir, 'logs'));
  bot = await world.spawnBot();
}, installMs);
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

test(`A5: ${commands} of ${commands} answers go out after the memory that holds them is synced`, async (context) => {
  if (strace === undefined) return context.skip('nothing may be traced here');
  await world.ask('alice', '!ping');
  const file = join(world.stack.dir, 'strace.txt');
  // 4 KB is a page of the database: the row's transaction id stands in it as it is.
  const tracer = spawn(
    strace.file,
    ['-f', '-y', '-s', '4300', '-e', `trace=${calls}`, '-o', file, '-p', String(bot.pid)],
    { env: strace.env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const attached = new Promise<void>((resolve, reject) => {
    tracer.once('exit', () => reject(new Error('strace ended')));
    tracer.stderr.on('data', (text: Buffer) => {
      if (text.includes('attached')) resolve();
    });
  });
  await attached;
  const asked: string[] = [];
  for (let at = 0; at < commands; at += 10) {
    // The same words in the same millisecond are the same event, by its hash.
    const keys = await Promise.all(Array.from({ length: 10 }, (_, n) => world.say('alice', `!ping${' '.repeat(n)}`)));
    for (const key of keys) await world.answer(key, 60_000);
    asked.push(...keys);
  }
  const ended = new Promise((resolve) => tracer.once('close', resolve));
  tracer.kill('SIGINT');
  await ended;

  const lines = readFileSync(file, 'utf8').split('\n');
  const wrong: string[] = [];
  let proved = 0;
  for (const [at, line] of lines.entries()) {
    const txn = /"PUT [^" ]*\/send\/[^/" ]+\/([^ "?]+)/.exec(line)?.[1];
    // The probe of the round trip answers nobody.
    if (txn === undefined || txn.startsWith('probe')) continue;
    // The id ends where the next column begins: a longer one that begins alike is another row.
    const holds = new RegExp(`${RegExp.escape(txn)}(?![0-9])`);
    const wal = lines.findIndex(
      (one, index) => index < at && one.includes('-wal>') && one.includes('pwrite64(') && holds.test(one),
    );
    const synced =
      wal === -1
        ? -1
        : lines.findIndex(
            (one, index) => index > wal && index < at && /(fdatasync|fsync)\([^)]*opsroom\.db-wal>/.test(one),
          );
    if (synced === -1) wrong.push(`${txn}: ${wal === -1 ? 'not written' : 'not synced'} before it was sent`);
    else proved += 1;
  }
  expect(wrong).toEqual([]);
  expect(proved).toBeGreaterThanOrEqual(commands);
  console.log(`${proved} answers after their sync`);
}, 180_000);
