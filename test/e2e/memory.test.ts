import { mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { BotProcess } from '#test/fixtures/bot-process.ts';
import type { Said } from '#test/fixtures/heard.ts';
import { SmallDisk } from '#test/fixtures/small-disk.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// What the bot does when its own memory is full, damaged or tampered with, on a real Synapse.
let world: OpsRoom;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

const db = (): string => join(world.dataDir, 'opsroom.db');
const refused = async (line: string): Promise<string> => {
  const said = await world.ask('alice', line);
  expect(['refused', 'failed']).toContain(said.mark?.outcome);
  return said.body;
};
const intents = (): number => {
  using memory = new BotMemory(world.dataDir);
  return memory.count(`audit WHERE outcome = 'begun'`);
};

test('F4: the record is exported, and verified without the bot', async () => {
  await world.startBot();
  expect((await world.ask('alice', '!pause trying it')).mark?.outcome).toBe('done');
  expect((await world.ask('alice', '!resume')).mark?.outcome).toBe('done');
  expect((await world.ask('alice', '!audit verify --all')).body).toContain('none changed');
  const { body } = await world.ask('alice', '!audit export');
  const [file = ''] = /\S+\/exports\/audit-\S+\.jsonl/.exec(body) ?? [];
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const key = join(world.dataDir, 'audit-key.pub.pem');
  await using fine = new BotProcess(['audit', 'verify', file, '--key', key]);
  expect(await fine.exited, fine.output).toMatchObject({ code: 0 });
  expect(fine.output).toContain('none changed');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"pause"', '"ping"'));
  await using changed = new BotProcess(['audit', 'verify', file]);
  expect(await changed.exited).toMatchObject({ code: 1 });
  expect(changed.output).toMatch(/changed: entry \d+/);
});

test('F2: before each privileged act there is its intent', () => {
  using memory = new BotMemory(world.dataDir);
  const without = memory.count(
    `steps WHERE NOT EXISTS (SELECT 1 FROM audit WHERE audit.run = steps.run AND outcome = 'begun' AND audit.at <= steps.begun_at)`,
  );
  expect(memory.count('steps')).toBeGreaterThan(0);
  expect(without).toBe(0);
});

test('F4, trust 5: a record tampered with is met at the start: reads and pages go on, changes are refused, a page says so', async () => {
  await world.stopBot();
  const whole = readFileSync(db());
  const file = new Database(db());
  file.exec(`UPDATE audit SET actor = '@eve:opsroom.test' WHERE seq = 1`);
  file.close();
  await world.startBot();
  const page = await world.room.waitFor((said) => said.mark?.kind === 'page' && said.body.includes('entry 1'), {
    what: 'a page about the record',
  });
  expect(page.msgtype).toBe('m.text');
  expect(await refused('!disable mallory spam')).toMatch(/safe mode.*entry 1/);
  expect((await world.ask('alice', '!status')).body).toContain('Safe mode');
  expect((await world.ask('alice', '!health bot')).mark?.outcome).toBe('done');
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  expect((await world.ask('alice', '!ack all')).mark?.outcome).toBe('done');
  await world.stopBot();
  for (const tail of ['-wal', '-shm']) rmSync(db() + tail, { force: true });
  writeFileSync(db(), whole);
  await world.startBot();
  expect((await world.ask('alice', '!status')).body).not.toContain('Safe mode');
});

test('its files are moved away under the running bot: changes are refused, a page says so; put back, it goes on', async () => {
  await world.startBot();
  for (const file of [db(), `${db()}-wal`]) {
    renameSync(file, `${file}.away`);
    const notKept = async (): Promise<string> => (await world.ask('alice', '!disable mallory spam')).body;
    await expect.poll(notKept).toContain(`safe mode and changes nothing: ${file} is not there any more`);
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
    if (file === db()) {
      const isIt = ({ mark, body }: Said): boolean => mark?.kind === 'page' && body.includes(`${file} is not there`);
      const page = await world.room.waitFor(isIt, { what: 'a page about the file' });
      expect(page.body).toContain(`/proc/${process.pid}/fd`);
    }
    renameSync(`${file}.away`, file);
    await expect.poll(async () => (await world.ask('alice', '!status')).body).not.toContain('Safe mode');
    expect((await world.ask('alice', '!disable mallory spam')).mark?.kind).toBe('prompt');
  }
});

test('I1: a memory that cannot be opened: the bot answers from memory and changes nothing', async () => {
  await world.stopBot();
  const whole = readFileSync(db());
  truncateSync(db(), Math.floor(whole.length / 2 / 4096) * 4096);
  await world.startBot();
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  expect(await refused('!disable mallory spam')).toMatch(/safe mode/i);
  expect((await world.ask('alice', '!status')).body).toContain('Safe mode');
  await world.stopBot();
  for (const tail of ['-wal', '-shm']) rmSync(db() + tail, { force: true });
  writeFileSync(db(), whole);
});

test('I2, F3: the disk is full: reads are answered, a change is refused with the reason; with room again it goes on by itself', async (context) => {
  await world.stopBot();
  rmSync(world.dataDir, { recursive: true, force: true });
  mkdirSync(world.dataDir, { recursive: true, mode: 0o700 });
  using disk = SmallDisk.mount(8, world.dataDir);
  if (disk === undefined) return context.skip('a small file system can only be mounted by root');
  await world.startBot();
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  disk.fill();
  const before = intents();
  expect(await refused('!disable mallory spam')).toMatch(/full/);
  // Above one page of the file or below it: whatever still went in was no intent.
  expect(intents()).toBe(before);
  expect((await world.ask('alice', '!ping')).body).toContain('pong');
  expect((await world.ask('alice', '!status')).mark?.outcome).toBe('done');
  disk.free();
  const freedMs = performance.now();
  let ended: string | undefined;
  for (let tries = 0; tries < 10 && ended !== 'done'; tries += 1) {
    ended = (await world.ask('alice', '!pause there is room again')).mark?.outcome;
  }
  expect(ended).toBe('done');
  expect(performance.now() - freedMs).toBeLessThan(30_000);
  expect((await world.ask('alice', '!resume')).mark?.outcome).toBe('done');
  expect((await world.ask('alice', '!audit verify --all')).body).toContain('none changed');
  await world.stopBot();
  using memory = new BotMemory(world.dataDir);
  expect(memory.verifyAudit().ok).toBe(true);
  expect(memory.count(`inbox WHERE state = 'new'`)).toBe(0);
});
