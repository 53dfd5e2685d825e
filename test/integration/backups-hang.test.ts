import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, openSession } from '#adapters/postgres/session.ts';
import { type BackupWorld, openBackupWorld } from '#test/fixtures/backup-world.ts';
import { TcpGate } from '#test/fixtures/tcp-gate.ts';

// PostgreSQL behind a network, or on a disk, that hangs after it took the connection.
const installMs = 15 * 60_000;
let world: BackupWorld;
let gate: TcpGate;
beforeAll(async () => {
  world = await openBackupWorld();
  await world.sql('create table many (n int);', 'alter table many owner to synapse;');
  await world.sql('insert into many select generate_series(1, 200000);');
}, installMs);
afterAll(async () => {
  await gate?.[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});
const address = async () => {
  const { host, port } = world.settings.postgres;
  gate = await TcpGate.open({ host, port });
  return { ...world.settings.postgres, host: '127.0.0.1', port: gate.port };
};

test('a backup is given up at once when it is cancelled, and leaves nothing', { timeout: 120_000 }, async () => {
  const postgres = await address();
  const stop = new AbortController();
  const progress = (): void => {
    gate.freeze();
    setTimeout(() => stop.abort(new Error('cancelled by a person')), 300);
  };
  const making = world.open({ postgres }).make({ site: 'main', signal: stop.signal, progress });
  await expect(making).rejects.toThrow(/cancelled/);
  expect(stop.signal.aborted).toBe(true);
  expect(await readdir(world.root)).toEqual([]);
});

test('a quick question to it fails by itself', { timeout: 60_000 }, async () => {
  const session = openSession(await address());
  expect(await ask(session, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  gate.freeze();
  await expect(ask(session, 'SELECT 1', undefined, 300)).rejects.toMatchObject({
    kind: 'unavailable',
    message: 'PostgreSQL took the connection and then said nothing.',
  });
  await session.end({ timeout: 1 });
});
