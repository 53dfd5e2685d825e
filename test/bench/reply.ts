import { startBot } from './bot.ts';
import { type Figure, median, quantile } from './figures.ts';
import { again, type World } from './world.ts';

const commands = 300;
const block = 10;
const warmUp = 10;

/** 300 commands each, one at a time, in alternate blocks: what else the machine does meets both. */
export async function reply(world: World): Promise<Figure[]> {
  const { ours, bare, operator } = world;
  await using _ours = startBot(ours);
  await using _bare = startBot(bare);
  const times = { ours: [] as number[], bare: [] as number[] };
  const specs = { ours, bare };
  for (const spec of [ours, bare]) await operator.awaken(spec.room);
  const turn = async (who: 'ours' | 'bare', count: number): Promise<number[]> => {
    const taken: number[] = [];
    for (let i = 0; i < count; i += 1) {
      taken.push(await again(world, specs[who], () => operator.pingMs(specs[who].room)));
    }
    return taken;
  };
  await turn('ours', warmUp);
  await turn('bare', warmUp);
  for (let begun = 0; begun < commands; begun += block) {
    const order = (begun / block) % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const);
    for (const who of order) times[who].push(...(await turn(who, block)));
  }
  const p95 = (values: number[]): number => quantile(values, 0.95);
  return [
    { what: 'reply p50', unit: 'ms', ours: median(times.ours), baseline: median(times.bare), goal: 1.15 },
    { what: 'reply p95', unit: 'ms', ours: p95(times.ours), baseline: p95(times.bare), goal: 1.5 },
  ];
}
