import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { crashPoints } from '#engine/crash-points.ts';
import { makeFolder } from '#test/fakes/house.ts';
import type { Line, Report } from '#test/fixtures/crash-child.ts';
import { Life } from '#test/fixtures/crash-life.ts';
import { type Scene, scenes } from '#test/fixtures/crash-scenes.ts';
import { CrashWorld } from '#test/fixtures/crash-world.ts';
import { realCommands } from '#test/fixtures/place.ts';

// SIGKILL before and after each act of each step of every change, and around the ledger's own commits. One process
// recovers from the last kill, proves it, and goes on into the next one: the world and the memory file outlive it.
const commands = new Map(Object.entries(realCommands));
const points = crashPoints(commands);
const toldWithinMs = 15_000;
const ended = ['done', 'partial', 'failed', 'interrupted'];

let folder: string;
let world: CrashWorld;
beforeAll(() => {
  folder = makeFolder();
  world = new CrashWorld();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Cut = { point: string; scene: Scene; command: string; target: UserId; line: Line; callsBefore: number };

let typed = 0;
const lineOf = ([by, text, yes]: [by: string, text: string, yes?: string | undefined]): Line => ({
  key: `$line${(typed += 1)}`,
  by,
  text,
  yes,
});
const commandOf = (point: string): string =>
  point.startsWith('ledger.') ? 'disable' : point.slice(0, point.lastIndexOf('.'));

/** What is not as it should be after a kill, in words. */
async function faults(cut: Cut, report: Report): Promise<string[]> {
  const { point, command, scene, line } = cut;
  const wrong: string[] = [];
  const want = (what: string, found: unknown, wanted: unknown): void => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) wrong.push(`${point}: ${what}: ${JSON.stringify(found)}`);
  };
  const runs = report.runs.filter(({ key }) => key === line.key);
  want('runs of this command', runs.length, 1);
  const [run] = runs;
  if (!run) return wrong;
  const declared = commands.get(command);
  if (declared?.kind !== 'change') throw new Error(command);
  const reports = declared.afterCrash === 'report' && !point.startsWith('ledger.');
  want('state', run.state, reports ? 'interrupted' : 'done');
  if (!ended.includes(run.state)) wrong.push(`${point}: not ended`);
  const step = point.slice(point.lastIndexOf('.') + 1, point.indexOf(':'));
  const steps = report.steps[run.id] ?? [];
  const twice = steps.filter(({ key, attempt }) => attempt > 1 && key !== step && declared.steps[key]?.keep !== false);
  // A whole command that is begun again does all of it again.
  if (declared.afterCrash !== 'restart' && !point.startsWith('ledger.'))
    want('steps done again that were done', twice, []);
  const outcomes = report.audit[run.id] ?? [];
  want(
    'begun and ended in the audit',
    outcomes.filter((outcome) => outcome === 'begun' || ended.includes(outcome)),
    ['begun', run.state],
  );
  want('the chain', report.chain, true);
  want('the inbox', report.inbox, 0);
  const thread = world.room.messages().filter((event) => event.thread === line.key);
  const results = thread.filter(
    ({ mark }) => mark?.kind === 'reply' && mark.outcome !== 'waiting' && mark.command === command,
  );
  want(
    'results told',
    results.map(({ mark }) => mark?.run),
    [`r${run.id}`],
  );
  want('questions', thread.filter(({ mark }) => mark?.kind === 'prompt').length, line.yes === undefined ? 0 : 1);
  const calls = world.keeper.calls.slice(cut.callsBefore);
  for (const method of scene.once ?? []) {
    const times = calls.filter((call) => call === method).length;
    const before = point === `${command}.${step}:before` && declared.steps[step]?.again === 'never';
    if (times > 1 || (times === 0 && !reports) || (before && times > 0))
      wrong.push(`${point}: ${method} was done ${times} times`);
  }
  if (run.state === 'done') await scene.prove?.(world, cut.target, calls);
  if (report.tookMs > toldWithinMs) wrong.push(`${point}: told after ${report.tookMs} ms`);
  return wrong;
}

test('A1: every change has a scene, so that none of its steps is without a crash point', () => {
  const changes = [...commands].flatMap(([name, { kind }]) => (kind === 'change' ? [name] : []));
  expect(Object.keys(scenes).toSorted()).toEqual(changes.toSorted());
  expect(points.length).toBeGreaterThanOrEqual(60);
});

test('A1 A7: killed before and after every step of every change, each command ends exactly once and is told', async () => {
  const wrong: string[] = [];
  const died: string[] = [];
  let slowestMs = 0;
  let cut: Cut | undefined;
  for (const [nth, point] of [...points, undefined].entries()) {
    const life = new Life(world, folder);
    const recovered = await life.report();
    if (!recovered) throw new Error(`it did not start after ${cut?.point}`);
    slowestMs = Math.max(slowestMs, recovered.tookMs);
    if (cut) {
      // The sync brings again what it did not know to be stored.
      const report = await life.order([cut.line]);
      if (!report) throw new Error(`it died while it recovered from ${cut.point}`);
      wrong.push(...(await faults(cut, { ...report, tookMs: recovered.tookMs })));
      if (cut.scene.last) await life.order(cut.scene.last.map(lineOf));
    }
    if (point === undefined) {
      await life.end();
      break;
    }
    const command = commandOf(point);
    const scene = scenes[command];
    if (!scene) throw new Error(`no scene for ${command}`);
    const target = world.newcomer(`target${nth}`);
    if (scene.first) await life.order(scene.first(target).map(lineOf));
    cut = {
      point,
      scene,
      command,
      target,
      line: lineOf([scene.by, scene.line(target), scene.yes]),
      callsBefore: world.keeper.calls.length,
    };
    const report = await life.order([cut.line], point);
    if (report)
      wrong.push(`${point}: was never reached: ${JSON.stringify(report.runs[0])} ${world.room.texts().at(-1)}`);
    else died.push(point);
    if (report) await life.end();
    await life.exited;
    await world.clock.advance(61_000);
  }
  console.log(`killed at ${died.length} points; the slowest told ${Math.round(slowestMs)} ms after its start`);
  expect(wrong).toEqual([]);
  expect(died).toEqual(points);
}, 900_000);
