import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BotProcess } from '#test/fixtures/bot-process.ts';
import { FaultProxy, matrixError } from '#test/fixtures/fault-proxy.ts';
import type { Said } from '#test/fixtures/heard.ts';
import { Pager } from '#test/fixtures/pager.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The bot when it can't be heard: pages find another way, the bot says which part of it isn't well, and comes back.
const pageMs = 120_000;
let world: OpsRoom;
let proxy: FaultProxy;
let pager: Pager;
let bot: BotProcess;
beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  proxy = await FaultProxy.open(world.url);
  pager = await Pager.open();
  bot = await start();
}, installMs);

/** `after`: how long pages wait for the room, when that isn't what is measured. */
async function start(after?: string): Promise<BotProcess> {
  const { userId } = world.seeded.bot;
  const matrix = {
    homeserverUrl: proxy.url,
    userId,
    accessToken: { file: './secrets/matrix-token' },
    opsRoom: world.seeded.opsRoom.roomId,
  };
  await world.settle({
    matrix,
    livekit: undefined,
    alerts: {
      webhookSecret: { file: './secrets/webhook' },
      fallback: [{ webhook: { url: pager.url } }],
      ...(after === undefined ? {} : { fallbackAfter: after }),
      // The checks ask Synapse beside the proxy; what is slow here is no news.
      rules: { 'sync-latency': { off: true } },
    },
  });
  return world.spawnBot();
}
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await pager?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});
afterEach(() => proxy.heal());

type Ready = { ready: boolean; parts: Array<{ part: string; ready: boolean; note?: string }> };
async function ready(): Promise<Ready & { status: number }> {
  const answer = await fetch(`http://${world.stack.addresses.bot}/readyz`);
  return { status: answer.status, ...((await answer.json()) as Ready) };
}
const unready = async (): Promise<string[]> =>
  (await ready()).parts.filter((part) => !part.ready).map(({ part }) => part);

async function alert(name: string, firing = true): Promise<void> {
  const status = firing ? 'firing' : 'resolved';
  const startsAt = new Date().toISOString();
  const one = {
    status,
    labels: { alertname: name, severity: 'critical' },
    annotations: {},
    startsAt,
    fingerprint: name,
  };
  const answer = await fetch(world.files.webhookUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.files.webhookSecret}` },
    body: JSON.stringify({ version: '4', groupKey: name, status, alerts: [one] }),
  });
  expect(answer.status).toBe(200);
}
/** A page by the other way that tells of this, and how long after `sinceMs` it came. */
async function paged(about: string, sinceMs: number): Promise<number> {
  const isIt = (): boolean => pager.calls.some(({ body }) => String(body['text']).includes(about));
  await expect.poll(isIt, { timeout: pageMs + 30_000, interval: 200 }).toBe(true);
  return performance.now() - sinceMs;
}
const isSaid = (said: Said, text: string): boolean => said.sender === world.bot && said.body.includes(text);
const rungFor = (text: string): Said[] =>
  world.room.events.filter((said) => isSaid(said, text) && said.msgtype === 'm.text');

test('well: every part is ready', async () => {
  await expect.poll(ready).toMatchObject({ status: 200, ready: true });
  expect((await ready()).parts.map(({ part }) => part)).toEqual(
    expect.arrayContaining(['sync', 'token', 'room', 'memory', 'outbox', 'event loop']),
  );
});

test('A3: every event twice, and again in the next answer, timelines cut to one: each command answered once', async () => {
  proxy.syncs.repeat();
  proxy.syncs.limit(1);
  const asked = await Promise.all(Array.from({ length: 8 }, () => world.say('alice', '!ping')));
  for (const command of asked) expect((await world.answer(command)).body).toContain('pong');
  await world.ask('alice', '!version');
  const answers = asked.map((command) => world.room.events.filter(({ root, mark }) => root === command && mark).length);
  expect(answers).toEqual(asked.map(() => 1));
});

test('B8: the homeserver is a black hole: paged another way within 2 min; resolved meanwhile, it rings nobody later', async () => {
  const heal = proxy.blackHole();
  const startMs = performance.now();
  await alert('HoleFire');
  expect(await paged('HoleFire', startMs)).toBeLessThan(pageMs + 20_000);
  const [call] = pager.calls.filter(({ body }) => String(body['text']).includes('HoleFire'));
  expect(call?.body).toMatchObject({ kind: 'page', incidents: [expect.stringMatching(/^a\d+$/)] });
  await alert('HoleFire', false);
  heal();
  proxy.cutAll();
  const summary = await world.room.waitFor(
    (said) => isSaid(said, 'could not be reached, a page was answered or over'),
    {
      what: 'the summary',
      withinMs: 90_000,
    },
  );
  expect(summary.body).toMatch(/HoleFire.*sent another way.*resolved/);
  expect(summary.msgtype).toBe('m.notice');
  expect(rungFor('HoleFire')).toEqual([]);
  await expect.poll(async () => (await ready()).status, { timeout: 60_000 }).toBe(200);
}, 300_000);

describe('cut off by others', () => {
  beforeAll(async () => {
    bot.signal('SIGTERM');
    await bot.exited;
    bot = await start('5s');
  }, 120_000);
  const path = (what: string): string =>
    `/_matrix/client/v3/rooms/${encodeURIComponent(world.seeded.opsRoom.roomId)}/${what}`;

  test('B6: said by readiness and by the other way; others cannot call it back, an owner can; what waited is said', async () => {
    const startMs = performance.now();
    await world.api('alice', 'POST', path('kick'), { user_id: world.bot, reason: 'slip' });
    await expect.poll(unready).toContain('room');
    const room = (await ready()).parts.find(({ part }) => part === 'room');
    expect(room?.note).toContain('removed by @alice:opsroom.test');
    await alert('OutFire');
    expect(await paged('it was removed by', startMs)).toBeLessThan(pageMs + 20_000);
    const joins = proxy.seen.filter(({ path: asked }) => asked.endsWith('/join')).length;
    expect(joins).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - startMs) / 60_000));
    const stranger = await world.api<{ room_id: string }>('carol', 'POST', '/_matrix/client/v3/createRoom', {
      preset: 'private_chat',
      invite: [world.bot],
    });
    const member = `/_matrix/client/v3/rooms/${encodeURIComponent(stranger.room_id)}/state/m.room.member/${encodeURIComponent(world.bot)}`;
    await expect
      .poll(async () => (await world.api<{ membership: string }>('carol', 'GET', member)).membership)
      .toBe('leave');
    await world.api('alice', 'POST', path('invite'), { user_id: world.bot });
    await world.room.waitFor((said) => isSaid(said, 'OutFire'), { what: 'what waited', withinMs: 90_000 });
    await expect.poll(async () => (await ready()).status, { timeout: 60_000 }).toBe(200);
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
    expect(bot.running).toBe(true);
  }, 300_000);

  test('G3: the token is refused: no crash, paged another way within 2 min, and well again when it is accepted', async () => {
    proxy.rule({ fault: matrixError(401, 'M_UNKNOWN_TOKEN', 'Invalid access token passed.') });
    proxy.cutAll();
    const startMs = performance.now();
    await expect.poll(unready, { timeout: 60_000 }).toContain('token');
    expect(await paged('access token is not accepted', startMs)).toBeLessThan(pageMs + 20_000);
    expect(bot.running).toBe(true);
    proxy.heal();
    await expect.poll(async () => (await ready()).status, { timeout: 90_000 }).toBe(200);
    expect((await world.ask('alice', '!ping')).body).toContain('pong');
  }, 300_000);
});
