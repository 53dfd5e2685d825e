import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeFolder } from '#test/fakes/house.ts';
import type { Line, Report } from '#test/fixtures/crash-child.ts';
import { Life } from '#test/fixtures/crash-life.ts';
import { CrashWorld } from '#test/fixtures/crash-world.ts';

// SIGKILL at any instant, while four commands and an alert are worked on at once: what was accepted ends, once, and is told.
const kills = Number(process.env['OPSROOM_KILLS'] ?? 12);
// What the soak may take at most; it says how far it came.
const longestMs = Number(process.env['OPSROOM_SOAK_MS'] ?? 1_500_000);

type Batch = { lines: Line[]; alert: string };

function batchOf(nth: number, world: CrashWorld): Batch {
  const [one, two] = [world.newcomer(`one${nth}`), world.newcomer(`two${nth}`)];
  const line = (by: string, text: string, yes?: string): Line => ({
    key: `$b${nth}-${text.split(' ')[0]}-${by}`,
    by,
    text,
    yes,
  });
  const lines = [
    line('carol', `!disable ${one} spam`, 'carol'),
    nth % 2 === 0 ? line('alice', `!people add ${two} viewer`, 'alice') : line('carol', `!call kick ${two}`, 'carol'),
    nth % 3 === 0 ? line('carol', '!backup now') : line('bob', `!page oncall ${two} is on fire`),
    line('vera', '!runs'),
  ];
  return { lines, alert: `alert-${nth}` };
}

function faults({ lines, alert }: Batch, report: Report, world: CrashWorld, nth: number): string[] {
  const wrong: string[] = [];
  const want = (what: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) wrong.push(`kill ${nth}, ${what}: ${JSON.stringify(found)}`);
  };
  for (const { key, text } of lines) {
    const runs = report.runs.filter((run) => run.key === key);
    want(
      text,
      runs.map(({ state }) => state),
      text.startsWith('!runs') ? [] : ['done'],
    );
    const thread = world.room.messages().filter((event) => event.thread === key && event.mark?.kind === 'reply');
    const told = thread.filter(({ mark }) => mark?.outcome !== 'waiting' && mark?.command !== 'approve');
    want(
      `what was told of ${text}`,
      told.map(({ mark }) => mark?.outcome),
      ['done'],
    );
    for (const { id } of runs) {
      const ends = (report.audit[id] ?? []).filter((outcome) =>
        ['begun', 'done', 'partial', 'failed'].includes(outcome),
      );
      want(`the audit of ${text}`, ends, ['begun', 'done']);
    }
  }
  want(
    'incidents of its alert',
    report.incidents.filter((key) => key === alert),
    [alert],
  );
  want('the chain of the audit', report.chain, true);
  want('the database', report.whole, true);
  want('the inbox', report.inbox, 0);
  return wrong;
}

test(
  `A2: ${kills} kills at random over ${4 * kills} commands and ${kills} alerts: nothing lost, nothing double`,
  async () => {
    const folder = makeFolder();
    const world = new CrashWorld();
    const wrong: string[] = [];
    const begunMs = performance.now();
    let last: Batch | undefined;
    let done = 0;
    let busyMs = 250;
    let inTheMiddle = 0;
    let slowestMs = 0;
    try {
      for (let nth = 0; nth <= kills; nth += 1) {
        const life = new Life(world, folder);
        const recovered = await life.report();
        if (!recovered) throw new Error(`it did not start after kill ${nth}`);
        slowestMs = Math.max(slowestMs, recovered.tookMs);
        if (last) {
          const report = await life.order(last.lines, undefined, [last.alert]);
          if (!report) throw new Error(`it died by itself after kill ${nth}`);
          wrong.push(...faults(last, report, world, nth));
        }
        const over = nth === kills || performance.now() - begunMs > longestMs || wrong.length > 20;
        if (over) {
          await life.end();
          break;
        }
        last = batchOf(nth, world);
        const orderedMs = performance.now();
        const finished = life.order(last.lines, undefined, [last.alert]).then((report) => {
          if (report) busyMs = (3 * busyMs + (performance.now() - orderedMs)) / 4;
          return report;
        });
        await pause(Math.random() * busyMs * 1.2);
        await life.end();
        if ((await finished) === undefined) inTheMiddle += 1;
        done += 1;
        await world.clock.advance(61_000);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    console.log(
      `${done} kills, ${inTheMiddle} of them in the middle of work; ${4 * done} commands; the slowest told ${Math.round(slowestMs)} ms after its start`,
    );
    expect(wrong).toEqual([]);
    expect(slowestMs).toBeLessThan(15_000);
    expect(inTheMiddle).toBeGreaterThan(0);
  },
  longestMs + 120_000,
);
