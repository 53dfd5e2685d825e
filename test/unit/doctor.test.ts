import { expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { doctor } from '#src/doctor.ts';
import { dependent, examine, shared, well } from '#src/doctor/finding.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { Printed } from '#test/fixtures/init-world.ts';

const clock = new FakeClock();
const look = (act: () => Promise<never>) => ({ part: 'x', look: act });

test('what never answers is wrong in the end, and is told to stop', async () => {
  let told: AbortSignal | undefined;
  const finding = examine({ part: 'x', look: (signal) => ((told = signal), new Promise(() => undefined)) }, clock);
  await clock.advance(19_000);
  expect(told?.aborted).toBe(false);
  await clock.advance(1000);
  expect(await finding).toEqual({ mark: 'wrong', text: 'Nothing came in 20 s.' });
  expect(told?.aborted).toBe(true);
});

test('an error is a finding with what mends it; a fault of our own shows no text', async () => {
  const refused = new OpsError('misconfigured', 'It is refused.', { hint: 'Change it.' });
  expect(
    await examine(
      look(() => Promise.reject(refused)),
      clock,
    ),
  ).toEqual({ mark: 'wrong', text: 'It is refused.', mend: 'Change it.' });
  const bug = await examine(
    look(() => Promise.reject(new TypeError('canary'))),
    clock,
  );
  expect(bug).toEqual({ mark: 'wrong', text: 'It could not be looked at (TypeError).' });
  expect(clock.sleeping).toBe(0);
});

test('what depends on a fault is not known, and the fault is asked for once', async () => {
  let asked = 0;
  const server = shared(() => {
    asked++;
    return Promise.reject(new OpsError('unavailable', 'It is down.'));
  });
  const depending = look(() => dependent(server(), 'the server is down'));
  expect(await examine(look(server), clock)).toMatchObject({ mark: 'wrong', text: 'It is down.' });
  for (let n = 0; n < 2; n++)
    expect(await examine(depending, clock)).toEqual({ mark: 'unknown', text: 'not known: the server is down' });
  expect(asked).toBe(1);
  expect(await examine({ part: 'x', look: () => Promise.resolve(well('fine')) }, clock)).toEqual({
    mark: 'well',
    text: 'fine',
  });
});

test('says how it is called', async () => {
  const printed = new Printed();
  expect(await doctor(['--help'], printed)).toBe(0);
  expect(printed.text).toContain('npm start -- doctor --settings opsroom.yaml');
  for (const argv of [['--canary', 'x'], ['canary']]) {
    await expect(doctor(argv, printed)).rejects.toMatchObject({
      kind: 'invalid',
      message: 'doctor takes --settings FILE and --help.',
    });
  }
  await expect(doctor(['--settings', '/nowhere/opsroom.yaml'], printed)).rejects.toMatchObject({ kind: 'invalid' });
});
