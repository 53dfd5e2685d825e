// `npm run bench`, or `npm run bench -- reply start` for some of them.
import { audit } from './audit.ts';
import { backup } from './backup.ts';
import { encrypted } from './encrypted.ts';
import { type Figure, isMet, table } from './figures.ts';
import { ledger } from './ledger.ts';
import { memory } from './memory.ts';
import { reply } from './reply.ts';
import { start } from './start.ts';
import { openWorld, type World } from './world.ts';

const benches: Record<string, (world: World) => Promise<Figure[]>> = {
  reply,
  encrypted,
  start,
  memory,
  backup,
  audit,
  ledger,
};

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in benches));
if (unknown.length > 0) {
  log(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}
const figures: Figure[] = [];
await using world = await openWorld(log);
for (const [name, bench] of Object.entries(benches)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  log(`bench: ${name}`);
  figures.push(...(await bench(world)));
}
process.stdout.write(`${table(figures)}\n`);
process.exitCode = figures.every(isMet) ? 0 : 1;
