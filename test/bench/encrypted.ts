// The bot in an encrypted room against the same bot in a clear one, both at once, on one homeserver.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeBotSettings } from '#sandbox/bot-settings.ts';
import { limitSending } from '#sandbox/seed/limit.ts';
import { Place } from '#sandbox/seed/place.ts';
import { call } from '#sandbox/synapse-client.ts';
import { encryptedRoom } from '#test/fixtures/encrypted-room.ts';
import { type Peer, Peers } from '#test/fixtures/peer.ts';
import { type BotSpec, startBot } from './bot.ts';
import { type Figure, median, quantile } from './figures.ts';
import { Operator } from './operator.ts';
import type { World } from './world.ts';

const commands = 200;
const block = 10;
const warmUp = 10;
const idleMs = 60_000;
const readings = 5;
const betweenMs = 1000;
const mostPings = 60;
const pingAgainMs = 1000;

type Side = { spec: BotSpec; room: string; encrypted: boolean; token: string };

/** Figures of a bot whose room is encrypted; the baseline is the one whose room is not. */
export async function encrypted(world: World): Promise<Figure[]> {
  const { stack, dir } = world;
  const { url, registrationSharedSecret } = stack.synapse;
  const place = new Place(url, registrationSharedSecret);
  await using peers = new Peers({ baseUrl: url, logFile: join(dir, 'peers.log') });
  const people: Peer[] = [];
  for (const name of ['sealed-alice', 'sealed-bob']) {
    const peer = await peers.open(await place.person(name, name, 'bench'), 'desk');
    await peer.ask('bootstrap', { reset: false });
    people.push(peer);
  }
  const [alice, bob] = people as [Peer, Peer];
  const open = async (name: string, isEncrypted: boolean): Promise<Side> => {
    const bot = await place.person(name, name, name);
    await limitSending(stack.synapse, bot.userId, true);
    const room = await encryptedRoom(alice, { invite: [bob.userId, bot.userId], encrypted: isEncrypted });
    await bob.ask('enter', { room, encrypted: isEncrypted });
    await place.join(bot.token, room);
    const home = { ...stack, dir: join(dir, name), synapse: stack.synapse, postgres: stack.postgres };
    const seeded = { ...world.seeded, bot, opsRoom: { ...world.seeded.opsRoom, roomId: room } };
    const { settingsFile } = await writeBotSettings(home, seeded, {
      people: [{ user: alice.userId, role: 'owner' }],
      onCall: undefined,
      // Both at once: neither listens for webhooks.
      http: undefined,
    });
    const args = [...world.ours.args.slice(0, -1), settingsFile];
    const spec = { ...world.ours, name, room, user: bot.userId, args, logFile: join(dir, `${name}.log`) };
    return { spec, room, encrypted: isEncrypted, token: bot.token };
  };
  const sealed = await open('sealed-bot', true);
  const clear = await open('clear-bot', false);
  // Only looks: whom an answer is for stands outside of what is encrypted.
  const session = { userId: bob.userId, token: bob.token, deviceId: bob.deviceId };
  const listener = new Operator(url, session, [sealed.room, clear.room]);
  await listener.open();
  try {
    await using sealedBot = startBot(sealed.spec);
    await using clearBot = startBot(clear.spec);
    const pingMs = async ({ room, encrypted }: Side, withinMs?: number): Promise<number> => {
      const content = { msgtype: 'm.text', body: '!ping', 'm.mentions': {} };
      const event = await alice.ask('send', { room, type: 'm.room.message', content, clear: !encrypted });
      const saidAt = performance.now();
      return (await listener.answered(event, withinMs)) - saidAt;
    };
    for (const side of [sealed, clear]) await awaken(side, alice, url, (ms) => pingMs(side, ms));
    const times = { sealed: [] as number[], clear: [] as number[] };
    const sides = { sealed, clear };
    for (const side of [sealed, clear]) for (let n = 0; n < warmUp; n += 1) await pingMs(side);
    for (let begun = 0; begun < commands; begun += block) {
      const order = (begun / block) % 2 === 0 ? (['sealed', 'clear'] as const) : (['clear', 'sealed'] as const);
      for (const who of order) for (let n = 0; n < block; n += 1) times[who].push(await pingMs(sides[who]));
    }
    await sleep(idleMs);
    const memory = { sealed: [] as number[], clear: [] as number[] };
    for (let n = 0; n < readings; n += 1) {
      memory.sealed.push(sealedBot.residentMb());
      memory.clear.push(clearBot.residentMb());
      await sleep(betweenMs);
    }
    const p95 = (values: number[]): number => quantile(values, 0.95);
    return [
      {
        what: 'encrypted: reply p50, of one in the clear',
        unit: 'ms',
        ours: median(times.sealed),
        baseline: median(times.clear),
        goal: 1.5,
      },
      { what: 'encrypted: reply p95', unit: 'ms', ours: p95(times.sealed), baseline: p95(times.clear) },
      {
        what: 'encrypted: resident after 60 s idle',
        unit: 'MB',
        ours: median(memory.sealed),
        baseline: median(memory.clear),
        goal: 1.35,
      },
    ];
  } finally {
    await listener.close();
  }
}

/** Until the bot answers: before, its device has to be there and signed, and known to who speaks. */
async function awaken(
  side: Side,
  speaker: Peer,
  url: string,
  ping: (withinMs: number) => Promise<number>,
): Promise<void> {
  if (side.encrypted) {
    const who = await call<{ device_id: string }>(url, 'GET', '/_matrix/client/v3/account/whoami', side.token);
    await speaker.knows(side.spec.user, who.device_id, { signed: true });
  }
  for (let attempt = 0; attempt < mostPings; attempt += 1) {
    const isThere = await ping(pingAgainMs).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  throw new Error(`${side.spec.name} does not answer; its log: ${side.spec.logFile}`);
}
