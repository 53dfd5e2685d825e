import { join } from 'node:path';
import { type BotSpec, startBot } from './bot.ts';
import { type Figure, median } from './figures.ts';
import { again, type World } from './world.ts';

const starts = 7;
const firstStarts = 3;

/** From making the process to the answer to a command that was typed before; each bot has listened here before. */
export async function start(world: World): Promise<Figure[]> {
  const { ours, bare, operator } = world;
  const once = (spec: BotSpec): Promise<number> =>
    again(world, spec, async () => {
      const { event } = await operator.say(spec.room, '!ping');
      await using bot = startBot(spec);
      return (await operator.answered(event)) - bot.spawnedAt;
    });
  for (const spec of [ours, bare]) {
    await using _bot = startBot(spec);
    await operator.awaken(spec.room);
  }
  const first = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < firstStarts; i += 1) {
    const env = { ...ours.env, NODE_COMPILE_CACHE: join(world.dir, `compiled-${i}`) };
    first.ours.push(await once({ ...ours, env }));
    first.bare.push(await once(bare));
  }
  const times = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < starts; i += 1) {
    times.ours.push(await once(ours));
    times.bare.push(await once(bare));
  }
  return [
    { what: 'start to first answer', unit: 'ms', ours: median(times.ours), baseline: median(times.bare), goal: 2 },
    { what: 'the same, nothing compiled yet', unit: 'ms', ours: median(first.ours), baseline: median(first.bare) },
  ];
}
