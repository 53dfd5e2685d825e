import { type BotSpec, startBot } from './bot.ts';
import { type Figure, median } from './figures.ts';
import type { World } from './world.ts';

const starts = 7;

/** From making the process to the answer to a command that was typed before; each bot has listened here before. */
export async function start({ ours, bare, operator }: World): Promise<Figure[]> {
  const once = async (spec: BotSpec): Promise<number> => {
    const { event } = await operator.say(spec.room, '!ping');
    await using bot = startBot(spec);
    return (await operator.answered(event)) - bot.spawnedAt;
  };
  for (const spec of [ours, bare]) {
    await using _bot = startBot(spec);
    await operator.awaken(spec.room);
  }
  const times = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < starts; i += 1) {
    times.ours.push(await once(ours));
    times.bare.push(await once(bare));
  }
  return [
    { what: 'start to first answer', unit: 'ms', ours: median(times.ours), baseline: median(times.bare), goal: 2 },
  ];
}
