import { setTimeout as sleep } from 'node:timers/promises';
import { startBot } from './bot.ts';
import { type Figure, median } from './figures.ts';
import type { World } from './world.ts';

const idleMs = 60_000;
const readings = 5;
const betweenMs = 1000;

/** Resident memory of both at the same time, a minute after the last command; our checks go on meanwhile. */
export async function memory({ ours, bare, operator }: World): Promise<Figure[]> {
  await using ourBot = startBot(ours);
  await using bareBot = startBot(bare);
  for (const { room } of [ours, bare]) await operator.awaken(room);
  await sleep(idleMs);
  const taken = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < readings; i += 1) {
    taken.ours.push(ourBot.residentMb());
    taken.bare.push(bareBot.residentMb());
    await sleep(betweenMs);
  }
  return [
    { what: 'resident after 60 s idle', unit: 'MB', ours: median(taken.ours), baseline: median(taken.bare), goal: 1.3 },
  ];
}
