import { openStack } from '#sandbox/stack.ts';
import { seed } from '#sandbox/seed.ts';
const t0 = performance.now();
const s = () => ((performance.now() - t0) / 1000).toFixed(2);
const log = (l: string) => console.log(s(), l);
await using stack = await openStack({ dir: process.argv[2]!, log, seeded: true });
console.log(s(), 'open', stack.synapse.url, stack.synapse.pid);
const seeded = await seed(stack, log);
console.log(s(), 'seeded', Object.keys(seeded.people).length);
for (const p of ['prometheus', 'alertmanager', 'livekit'] as const) console.log(s(), p, await stack[p].then((x) => x.url, (e) => String(e)));
console.log(JSON.stringify(stack.status()));
const t1 = performance.now();
if (process.argv[3]) await new Promise((r) => setTimeout(r, 1e9));
await stack[Symbol.asyncDispose]();
console.log('disposed in', performance.now() - t1);
process.exit()
