import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Rule } from '#domain/rules.ts';
import { applyRules } from '#engine/check-rules.ts';
import { type CheckSample, defineCheck, type NamedCheck } from '#engine/check.ts';
import { CheckHealth } from '#engine/health.ts';
import { Prober } from '#engine/prober.ts';
import { openStorage, type Storage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';

const site = 'default';
const secondMs = 1000;

/** A part of the house that says what a test makes it say. */
class Part {
  value: number | undefined | Error | 'silent' = 1;
  read = 0;
  active = 0;
  overlapped = false;

  check(name: string, rule: Partial<Rule> = {}, set: Partial<NamedCheck> = {}): NamedCheck {
    const base = defineCheck({
      part: name,
      title: `the ${name}`,
      everyMs: 30 * secondMs,
      needs: [],
      values: { level: { title: `level of ${name}`, unit: 'count' } },
      rules: [
        {
          name,
          alert: 'LevelHigh',
          of: 'level',
          is: 'above',
          warning: 10,
          critical: 100,
          forMs: 60 * secondMs,
          help: 'Lower it.',
          ...rule,
        } as Rule & { of: 'level' },
      ],
      read: async (_ports, _before, signal) => {
        this.read += 1;
        this.overlapped ||= this.active > 0;
        this.active += 1;
        try {
          return { samples: await this.#samples(signal) };
        } finally {
          this.active -= 1;
        }
      },
    });
    return { ...base, ...set, name };
  }

  #samples(signal: AbortSignal): Promise<CheckSample[]> {
    const { value } = this;
    if (value instanceof Error) return Promise.reject(value);
    if (value !== 'silent') return Promise.resolve([{ name: 'level', value }]);
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  }
}

let storage: Storage;
let clock: FakeClock;
let told: Signal[];
let faults: string[];
let stop: AbortController;
beforeEach(() => {
  storage = openStorage({ file: ':memory:' });
  clock = new FakeClock();
  [told, faults, stop] = [[], [], new AbortController()];
});
afterEach(() => {
  stop.abort();
  storage[Symbol.dispose]();
});

function open(...checks: NamedCheck[]) {
  const options = { site, checks, ports: { clock }, readings: storage.readings, clock };
  const prober = new Prober({
    ...options,
    tell: (signals) => void told.push(...signals),
    fault: (what) => void faults.push(what),
  });
  return {
    prober,
    health: new CheckHealth({ ...options, prober, signal: stop.signal }),
    running: prober.run(stop.signal),
  };
}
const down = () => new OpsError('unavailable', 'No route.');
const firing = () => told.filter((signal) => signal.firing).map(({ key, severity }) => `${key} ${severity}`);
const fresh = () => {
  const seen = [...new Set(firing())];
  told = [];
  return seen;
};

describe('reading', () => {
  test('happens at each period, on the same beat however long a reading takes', async () => {
    const part = new Part();
    open(part.check('tank'));
    await clock.advance(95 * secondMs);
    expect(part.read).toBe(4);
    part.value = 'silent';
    await clock.advance(30 * secondMs);
    part.value = 1;
    await clock.advance(60 * secondMs);
    expect(part.read).toBe(7);
    const start = Date.parse('2026-08-03T09:00:00Z');
    expect(
      storage.readings.since(site, 'tank.level', 0).map(({ at, value }) => [(at - start) / secondMs, value]),
    ).toEqual([
      [0, 1],
      [30, 1],
      [60, 1],
      [90, 1],
      [130, undefined],
      [150, 1],
      [180, 1],
    ]);
  });

  test('that fails or hangs is a reading, with its reason', async () => {
    const part = new Part();
    part.value = down();
    const { health } = open(part.check('tank'));
    await clock.advance(1);
    expect(storage.readings.last(site, 'tank.level')).toMatchObject({ value: undefined, note: 'No route.' });
    expect(health.findings()).toMatchObject([{ verdict: 'unknown', value: 'unknown', note: 'No route.' }]);
    const { since } = health.findings()[0]!;
    expect(since).toBe(storage.readings.last(site, 'tank.level')?.at);
    part.value = 'silent';
    await clock.advance(45 * secondMs);
    expect(storage.readings.last(site, 'tank.level')).toMatchObject({ value: undefined, note: 'No answer in 10 s.' });
    // Still since it stopped telling, not since the last look.
    expect(health.findings()).toMatchObject([{ verdict: 'unknown', since }]);
  });

  test('that fails by a bug of ours says so without its text, and is logged', async () => {
    const part = new Part();
    part.value = new TypeError('secret is not a function');
    open(part.check('tank'));
    await clock.advance(1);
    expect(storage.readings.last(site, 'tank.level')?.note).toBe('The check itself failed; the log says why.');
    expect(faults).toEqual(['check tank']);
  });

  test('that is no number is unknown', async () => {
    const part = new Part();
    part.value = Number.NaN;
    open(part.check('tank'));
    await clock.advance(1);
    expect(storage.readings.last(site, 'tank.level')).toMatchObject({ value: undefined, note: 'not a number' });
  });

  test('never overlaps itself, whoever asks', async () => {
    const part = new Part();
    part.value = 'silent';
    const { health } = open(part.check('tank'));
    await clock.advance(1);
    const both = Promise.all([health.runNow('tank'), health.runNow()]);
    await clock.advance(10 * secondMs);
    expect((await both)[0]).toMatchObject([{ verdict: 'unknown', note: 'No answer in 10 s.' }]);
    expect(part.read).toBe(1);
    expect(part.overlapped).toBe(false);
  });

  test('goes on when the readings cannot be stored', async () => {
    const part = new Part();
    const { health } = open(part.check('tank'));
    storage.readings.put = () => {
      throw new Error('disk full');
    };
    part.value = 50;
    await clock.advance(31 * secondMs);
    expect(health.findings()[0]?.verdict).toBe('warning');
    expect(faults).toContain('readings of tank could not be stored');
  });

  test('ends with its signal, and waits for what is being read', async () => {
    const part = new Part();
    part.value = 'silent';
    const { running } = open(part.check('tank'));
    await clock.advance(1);
    stop.abort();
    await running;
    expect(part.active).toBe(0);
    // Being stopped is not a failed reading.
    expect(storage.readings.last(site, 'tank.level')).toBeUndefined();
  });
});

describe('an alert', () => {
  test('needs more than one bad reading, says its limit, and ends with the trouble', async () => {
    const part = new Part();
    part.value = 50;
    open(part.check('tank'));
    await clock.advance(59 * secondMs);
    expect(firing()).toEqual([]);
    await clock.advance(2 * secondMs);
    expect(told.find((signal) => signal.firing)).toMatchObject({
      source: 'check',
      key: 'check:tank',
      group: 'checks:tank',
      severity: 'warning',
      name: 'LevelHigh',
      title: 'level of tank: 50 (above 10)',
    });
    part.value = 5;
    await clock.advance(30 * secondMs);
    expect(told.at(-1)).toMatchObject({ firing: false, key: 'check:tank' });
    expect(told.filter((signal) => signal.firing)).toHaveLength(1);
  });

  test('of one bad reading is none', async () => {
    const part = new Part();
    open(part.check('tank'));
    for (const value of [50, 5, 50, 50, 5, 50]) {
      part.value = value;
      await clock.advance(30 * secondMs);
    }
    expect(firing()).toEqual([]);
  });

  test('is told again while it lasts, in the same words, and grows critical only when that lasts too', async () => {
    const part = new Part();
    part.value = 50;
    open(part.check('tank'));
    await clock.advance(61 * secondMs);
    part.value = 60;
    await clock.advance(30 * secondMs);
    expect(told.filter((signal) => signal.firing).map(({ title }) => title)).toEqual([
      'level of tank: 50 (above 10)',
      'level of tank: 50 (above 10)',
    ]);
    part.value = 200;
    await clock.advance(30 * secondMs);
    expect(told.at(-1)?.severity).toBe('warning');
    await clock.advance(60 * secondMs);
    expect(told.at(-1)).toMatchObject({ severity: 'critical', title: 'level of tank: 200 (above 100)' });
  });

  test('neither ends nor begins by an unknown reading', async () => {
    const part = new Part();
    part.value = 50;
    open(part.check('tank'));
    await clock.advance(61 * secondMs);
    part.value = down();
    await clock.advance(30 * secondMs);
    expect(told.at(-1)).toMatchObject({ key: 'check:tank', firing: true });
    expect(told.filter((signal) => !signal.firing && signal.key === 'check:tank')).toEqual([]);
  });

  test('is not forgotten by a restart, nor hastened', async () => {
    const part = new Part();
    part.value = 50;
    open(part.check('tank'));
    await clock.advance(31 * secondMs);
    stop.abort();
    stop = new AbortController();
    open(part.check('tank'));
    await clock.advance(1);
    expect(firing()).toEqual([]);
    await clock.advance(31 * secondMs);
    expect(fresh()).toEqual(['check:tank warning']);
    stop.abort();
    stop = new AbortController();
    part.value = 5;
    open(part.check('tank'));
    await clock.advance(1);
    expect(told.filter(({ name }) => name !== 'CutOff')).toMatchObject([
      { key: 'check:tank', firing: false },
      { key: 'check:tank:unknown', firing: false },
    ]);
  });

  test('explained by another is kept back', async () => {
    const [cause, effect] = [new Part(), new Part()];
    [cause.value, effect.value] = [50, 50];
    open(cause.check('cause'), effect.check('effect', { inhibitedBy: ['cause'] }));
    await clock.advance(200 * secondMs);
    expect(fresh()).toEqual(['check:cause warning']);
    cause.value = 5;
    await clock.advance(60 * secondMs);
    expect(fresh()).toEqual(['check:effect warning']);
  });
});

describe('what cannot be asked', () => {
  const local = { local: true };

  test('is an alert after a while', async () => {
    const part = new Part();
    part.value = down();
    open(part.check('tank', {}, local), new Part().check('other'));
    await clock.advance(179 * secondMs);
    expect(firing()).toEqual([]);
    await clock.advance(2 * secondMs);
    expect(told.at(-1)).toMatchObject({
      key: 'check:tank:unknown',
      severity: 'warning',
      title: "the tank can't be read: No route.",
    });
    part.value = 1;
    await clock.advance(30 * secondMs);
    expect(told.at(-1)).toMatchObject({ key: 'check:tank:unknown', firing: false });
  });

  test('is none where the check it depends on is in trouble', async () => {
    const [server, metrics] = [new Part(), new Part()];
    [server.value, metrics.value] = [500, down()];
    open(server.check('server'), metrics.check('metrics', {}, { dependsOn: 'server' }));
    await clock.advance(400 * secondMs);
    expect(fresh()).toEqual(['check:server critical']);
    server.value = 1;
    await clock.advance(30 * secondMs);
    expect(fresh()).toEqual(['check:metrics:unknown warning']);
  });

  test('all at once is one incident, not many', async () => {
    const parts = ['synapse', 'postgres', 'livekit', 'disk'].map((name) => ({ name, part: new Part() }));
    open(...parts.map(({ name, part }) => part.check(name, {}, name === 'disk' ? local : {})));
    for (const { name, part } of parts) if (name !== 'disk') part.value = down();
    await clock.advance(59 * secondMs);
    expect(firing()).toEqual([]);
    await clock.advance(600 * secondMs);
    expect(fresh()).toEqual(['check:cut-off critical']);
    for (const { part } of parts) part.value = 1;
    await clock.advance(30 * secondMs);
    expect(told.filter(({ key }) => key === 'check:cut-off')).toMatchObject([
      { firing: false, title: 'The bot is cut off: no answer from synapse, postgres, livekit.' },
    ]);
    expect(firing()).toEqual([]);
  });

  test('all but one is not being cut off', async () => {
    const parts = ['synapse', 'postgres', 'livekit'].map((name) => ({ name, part: new Part() }));
    open(...parts.map(({ name, part }) => part.check(name)));
    for (const { part } of parts.slice(1)) part.value = down();
    await clock.advance(240 * secondMs);
    expect(fresh()).toEqual(['check:postgres:unknown warning', 'check:livekit:unknown warning']);
  });
});

describe('health', () => {
  test('shows reading, limit, since when and what helps; the worst decides', async () => {
    const [tank, pump] = [new Part(), new Part()];
    const { health } = open(tank.check('tank'), pump.check('pump'));
    expect(health.findings()).toMatchObject([{ verdict: 'none', value: 'not read yet' }, { verdict: 'none' }]);
    expect(health.verdict()).toBe('unknown');
    await clock.advance(1);
    expect(health.verdict()).toBe('ok');
    tank.value = 150;
    await clock.advance(100 * secondMs);
    const since = Date.parse('2026-08-03T09:00:30Z');
    expect(health.findings('tank')).toMatchObject([
      {
        name: 'tank.level',
        part: 'tank',
        title: 'level of tank',
        verdict: 'critical',
        value: '150',
        limit: 'above 100',
        note: 'Lower it.',
        since,
      },
    ]);
    expect(health.verdict()).toBe('critical');
  });

  test('of readings from before the start is shown, and is unknown once they are old', async () => {
    const part = new Part();
    const first = open(part.check('tank'));
    await clock.advance(1);
    stop.abort();
    await first.running;
    const options = { site, checks: [part.check('tank')], ports: { clock }, readings: storage.readings, clock };
    const prober = new Prober({ ...options, tell: () => undefined, fault: () => undefined });
    const health = new CheckHealth({ ...options, prober, signal: stop.signal });
    expect(health.findings()[0]?.verdict).toBe('ok');
    await clock.advance(120 * secondMs);
    expect(health.findings()[0]).toMatchObject({ verdict: 'unknown', note: 'last read 2 min ago' });
  });

  test('reads one check on demand, and knows what is off and what there is', async () => {
    const part = new Part();
    const { health } = open(part.check('tank'), part.check('calls', {}, { needs: ['callServer'] }));
    expect(health.checks()).toEqual([{ name: 'tank', part: 'tank', title: 'the tank', everyMs: 30_000 }]);
    await clock.advance(1);
    part.value = 42;
    expect(await health.runNow('tank')).toMatchObject([{ value: '42', verdict: 'warning' }]);
    await expect(health.runNow('calls')).rejects.toThrow('The check calls is off: callServer is not set up.');
    await expect(health.runNow('tnak')).rejects.toMatchObject({
      kind: 'notFound',
      hint: expect.stringContaining('Did you mean tank?') as string,
    });
  });
});

describe('limits of the settings', () => {
  test('replace the built-in ones, in base units, or switch the rule off', () => {
    const check = new Part().check('tank');
    const timed = { ...check, values: { level: { title: 'level', unit: 'ms' as const } } };
    expect(applyRules([timed], { tank: { critical: 5, forMs: 1000 } })[0]?.rules[0]).toMatchObject({
      warning: 10,
      critical: 5000,
      forMs: 1000,
    });
    expect(applyRules([check], { tank: { off: true } })[0]?.rules).toEqual([]);
    expect(() => applyRules([check], { tnk: { off: true } })).toThrow(/alerts.rules.tnk/);
  });
});
