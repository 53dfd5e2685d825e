import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { type Delivery, pour } from '#test/fixtures/flood.ts';
import type { Said } from '#test/fixtures/heard.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// 2,000 alerts in 5 s, with the bot under Synapse's default limit of 10 events and then one in 5 s.
const alerts = 2000;
const watchMs = 60_000;
let world: OpsRoom;
beforeAll(async () => {
  // Without calls: that LiveKit isn't there would be an alert of its own.
  world = await OpsRoom.open({ parts: ['synapse'], liftBotLimit: false, settings: { livekit: undefined } });
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

// A memory of its own for each, and a limit that has recovered.
let memory = 0;
beforeEach(async () => {
  memory += 1;
  await world.startBot({ dataDir: `./flood-${memory}` });
});
afterEach(() => world.stopBot());

const numbered = (n: number): string => `Alert${String(n).padStart(4, '0')}`;

/** All that people can read: the messages as they stand, and the files. */
async function readable(events: readonly Said[]): Promise<string> {
  const token = world.person('alice').token;
  const files = events.flatMap(({ file }) => (file === undefined ? [] : [file]));
  const contents = await Promise.all(
    files.map(async (uri) => {
      const answer = await fetch(`${world.url}/_matrix/client/v1/media/download/${uri.replace('mxc://', '')}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      if (!answer.ok) throw new Error(`${uri} cannot be read: ${answer.status}`);
      return answer.text();
    }),
  );
  return [...events.map(({ body }) => body), ...contents].join('\n');
}

/** What became of all of it, a minute after its begin. */
async function flood(deliveries: Delivery[]) {
  const { webhookUrl: url, webhookSecret: secret } = world.files;
  const heard = world.room.events.length;
  const begunMs = performance.now();
  const { codes, tookMs } = await pour({ url, secret }, deliveries, 5000);
  await pause(Math.max(0, begunMs + watchMs - performance.now()));
  const events = world.room.events.slice(heard).filter(({ sender }) => sender === world.bot);
  const text = await readable(events);
  using bot = new BotMemory(`${world.stack.dir}/bot/flood-${memory}`);
  console.log(`flood of ${deliveries.length} posts:`, {
    events: events
      .map(({ mark, msgtype, edits, type }) => `${mark?.kind ?? (msgtype || type)}${edits ? ' (edit)' : ''}`)
      .join(', '),
    answerP50Ms: Math.round(tookMs[Math.floor(tookMs.length / 2)] ?? 0),
    answerP95Ms: Math.round(tookMs[Math.floor(tookMs.length * 0.95)] ?? 0),
    lastEventAfterMs: Math.round((events.at(-1)?.seenMs ?? 0) - begunMs),
  });
  return {
    events: events.length,
    refused: codes.filter((code) => code !== 200).length,
    stored: bot.count(`incidents WHERE name LIKE 'Alert%'`),
    unreadable: Array.from({ length: alerts }, (_, n) => numbered(n)).filter((name) => !text.includes(name)),
    isPaged: events.some(({ mark, mentions }) => mark?.kind === 'page' && mentions.length > 0),
    unsaid: bot.count(`outbox WHERE state = 'pending'`),
  };
}

const whole = { refused: 0, stored: alerts, unreadable: [], isPaged: true, unsaid: 0 };

const one = (n: number): Delivery['alerts'][number] => ({
  name: numbered(n),
  instance: `host-${n}`,
  severity: n % 10 === 0 ? 'critical' : 'warning',
});

test('200 posts of one group, ten alerts each', async () => {
  const posts = Array.from({ length: alerts / 10 }, (_, post) => ({
    groupKey: '{}:{}',
    alerts: Array.from({ length: 10 }, (_, n) => one(post * 10 + n)),
  }));
  const { events, ...rest } = await flood(posts);
  expect(rest).toEqual(whole);
  expect(events).toBeLessThanOrEqual(10);
}, 180_000);

test('2,000 posts, each a group of its own', async () => {
  const posts = Array.from({ length: alerts }, (_, n) => ({
    groupKey: `{}:{alertname="${numbered(n)}"}`,
    alerts: [one(n)],
  }));
  const { events, ...rest } = await flood(posts);
  expect(rest).toEqual(whole);
  expect(events).toBeLessThanOrEqual(10);
}, 180_000);
