import Database from 'better-sqlite3';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyAudit } from '#domain/audit.ts';
import { call, register, type Session } from '#sandbox/synapse-client.ts';
import { openStorage } from '#storage/open.ts';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { insideRooms, whoami } from '#test/fixtures/server-state.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// Killed at any moment, a run ends once; in a crowd, each command is answered once. `npm run soak` does it 50 times.
const kills = Number(process.env['OPSROOM_KILLS'] ?? 8);
const roomsEach = 4;
let world: OpsRoom;

beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse', 'livekit'] });
  await world.stack.livekit;
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

/** Somebody new, in a few rooms of their own with another person in each. */
async function newcomer(name: string, host: Session): Promise<Session> {
  const { url, registrationSharedSecret } = world.stack.synapse;
  const session = await register(url, registrationSharedSecret, { username: name, password: `secret of ${name}` });
  for (let n = 0; n < roomsEach; n += 1) {
    const body = { preset: 'private_chat', invite: [session.userId] };
    const { room_id } = await call<{ room_id: string }>(url, 'POST', '/_matrix/client/v3/createRoom', host.token, body);
    await call(url, 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room_id)}/join`, session.token, {});
  }
  return session;
}

/** What the bot has written down, read while it is stopped. */
function ledgerOf(): { runs: Array<{ state: string }>; begun: number; ended: number; chain: boolean } {
  const db = new Database(join(world.dataDir, 'opsroom.db'), { readonly: true });
  const runs = db.prepare(`SELECT state FROM runs WHERE command = 'disable'`).all() as Array<{ state: string }>;
  const count = (outcome: string): number =>
    db.prepare(`SELECT count(*) FROM audit WHERE act = 'disable' AND outcome = ?`).pluck().get(outcome) as number;
  const [begun, ended] = [count('begun'), count('done')];
  db.close();
  using storage = openStorage({ file: join(world.dataDir, 'opsroom.db') });
  return { runs, begun, ended, chain: verifyAudit(storage.ledger.auditAll()).ok };
}

describe('killed in the middle of a disable', () => {
  test(
    `it ends exactly once, ${kills} of ${kills}`,
    async () => {
      const host = world.person('dana');
      await call(world.url, 'POST', `/_synapse/admin/v1/users/${encodeURIComponent(host.userId)}/override_ratelimit`, world.seeded.admin.token, {
        messages_per_second: 0,
        burst_count: 0,
      });
      await using last = new AsyncDisposableStack();
      let bot: BotProcess | undefined;
      last.defer(() => bot?.[Symbol.asyncDispose]());
      for (let n = 0; n < kills; n += 1) {
        const victim = await newcomer(`victim${n}`, host);
        bot ??= await world.spawnBot();
        const { command, prompt } = await world.request('alice', `!disable ${victim.userId} kill ${n}`);
        await world.react('alice', prompt.id, '✅');
        // From before the yes is taken to after the end: a run of this size takes about a second.
        await pause(Math.round((n * 1500) / Math.max(1, kills - 1)));
        await bot.kill();
        bot = await world.spawnBot();
        const end = await world.end(command, 30_000);
        expect(end.mark, `kill ${n}: ${end.body}`).toMatchObject({ outcome: 'done', command: 'disable' });
        expect(await whoami(world.url, victim.token)).toBe(401);
        expect(await insideRooms(world, victim.userId)).toEqual([]);
        const path = `/_synapse/admin/v2/users/${encodeURIComponent(victim.userId)}`;
        expect(await world.api('admin', 'GET', path)).toMatchObject({ locked: true, suspended: true, deactivated: false });
        await pause(300);
        const ends = world.room.events.filter((said) => said.root === command && said.mark?.kind === 'reply' && said.edits === undefined);
        expect(ends.map((said) => said.body), `kill ${n}`).toHaveLength(1);
      }
      bot?.signal('SIGTERM');
      expect((await bot?.exited)?.code).toBe(0);
      const ledger = ledgerOf();
      expect(ledger.runs.map((run) => run.state)).toEqual(Array.from({ length: kills }, () => 'done'));
      expect(ledger).toMatchObject({ begun: kills, ended: kills, chain: true });
    },
    60_000 + kills * 20_000,
  );
});

describe('a hundred commands at once', () => {
  const typed = Array.from({ length: 100 }, (_, n) => (n % 4 === 0 ? '!whoami' : n % 4 === 1 ? '!ping' : n % 4 === 2 ? '!version' : `!user mallory`));
  const typeAll = (): Promise<string[]> =>
    Promise.all(typed.map((line, n) => world.say(['alice', 'bob', 'carol'][n % 3]!, line)));

  async function eachOnce(commands: string[]): Promise<void> {
    for (const command of commands) await world.answer(command, 90_000);
    await world.ask('alice', '!ping');
    await pause(500);
    const counts = commands.map(
      (command) => world.room.events.filter((said) => said.root === command && said.mark?.kind === 'reply').length,
    );
    expect(counts).toEqual(commands.map(() => 1));
  }

  test('each is answered exactly once', { timeout: 120_000 }, async () => {
    await world.startBot();
    await eachOnce(await typeAll());
  });

  test('also those typed while the bot was away', { timeout: 120_000 }, async () => {
    await world.startBot();
    await world.ask('alice', '!ping');
    await world.stopBot();
    const commands = await typeAll();
    await world.startBot();
    await eachOnce(commands);
    await world.stopBot();
  });

  test('and again after a kill in the middle of them', { timeout: 120_000 }, async () => {
    const first = await world.spawnBot();
    await world.ask('alice', '!ping');
    const commands = await typeAll();
    await pause(700);
    await first.kill();
    await using second = await world.spawnBot();
    await eachOnce(commands);
    second.signal('SIGTERM');
    await second.exited;
  });
});
