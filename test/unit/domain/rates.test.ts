import { describe, expect, test } from 'vitest';
import { sumOf } from '#domain/metrics.ts';
import { growth, quantileBetween, quantileOf, rate, restartFamilies } from '#domain/rates.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { FakeMetrics } from '#test/fakes/metrics.ts';

const families = ['bytes', 'wait', 'gauge', ...restartFamilies];

/** Scrapes of each page, ten seconds apart. */
async function scrapes(...pages: string[]) {
  const clock = new FakeClock();
  const source = new FakeMetrics(clock);
  const all = [];
  for (const page of pages) {
    all.push(await source.show(page).scrape(families));
    await clock.advance(10_000);
  }
  return all;
}
const started = (at: number) => `process_start_time_seconds ${at}\n`;

describe('counters', () => {
  test('grow by their difference, each series for itself', async () => {
    const [a = [], b = []] = await scrapes(
      'bytes{d="in"} 100\nbytes{d="out"} 5\n',
      'bytes{d="in"} 300\nbytes{d="out"} 45\n',
    );
    expect(rate(a, b, 'bytes')).toEqual({ value: 24 });
    expect(rate(a, b, 'bytes', (labels) => labels['d'] === 'out')).toEqual({ value: 4 });
  });

  test('that fell were reset: what they show is what they grew by', async () => {
    const [a = [], b = []] = await scrapes('bytes 1000\n', 'bytes 50\n');
    expect(rate(a, b, 'bytes')).toEqual({ value: 5 });
  });

  test('that passed their old value after a restart are not mistaken for a small growth', async () => {
    const [a = [], b = []] = await scrapes(`${started(100)}bytes 1000\n`, `${started(900)}bytes 1200\n`);
    expect(growth(a, b, 'bytes')?.[0]?.by).toBe(1200);
  });

  test('born since the last scrape began at 0', async () => {
    const [a = [], b = []] = await scrapes('# TYPE bytes counter\n', 'bytes{d="in"} 70\n');
    expect(rate(a, b, 'bytes')).toEqual({ value: 7 });
  });

  test('that are absent are unknown, not 0', async () => {
    const [a = [], b = []] = await scrapes('gauge 1\n', 'gauge 1\n');
    expect(rate(a, b, 'bytes')).toEqual({ value: undefined, note: 'metric absent: bytes' });
    expect(sumOf(b, 'bytes')).toEqual({ value: undefined, note: 'metric absent: bytes' });
  });

  test('without a sample are a third thing', async () => {
    const [a = []] = await scrapes('# TYPE bytes counter\n');
    expect(sumOf(a, 'bytes')).toEqual({ value: undefined, note: 'metric without a sample: bytes' });
  });

  test('need two scrapes of the same process', async () => {
    const clock = new FakeClock();
    const one = await new FakeMetrics(clock).show('bytes 1\n', 'worker1').scrape(families);
    const two = await new FakeMetrics(clock).show('bytes 9\n', 'worker1').show('bytes 9\n', 'worker2').scrape(families);
    expect(rate(one, two, 'bytes').value).toBeUndefined();
  });
});

describe('quantiles', () => {
  const buckets = (counts: Array<[number, number]>) => counts.map(([le, count]) => ({ le, count }));

  test('lie inside their bucket as Prometheus has them', () => {
    // 10 under 0.1, 80 more under 0.5, 10 more under 1: the median is the 50th, the 40th of 80 in 0.1-0.5.
    const all = buckets([
      [0.1, 10],
      [0.5, 90],
      [1, 100],
      [Infinity, 100],
    ]);
    expect(quantileOf(0.5, all)?.value).toBeCloseTo(0.3);
    expect(quantileOf(0.95, all)?.value).toBeCloseTo(0.75);
    expect(quantileOf(0.05, all)?.value).toBeCloseTo(0.05);
  });

  test('in the last bucket are only a lower limit', () => {
    expect(
      quantileOf(
        0.99,
        buckets([
          [10, 50],
          [Infinity, 100],
        ]),
      ),
    ).toEqual({ value: 10, atLeast: true });
  });

  test('of nothing are nothing, not 0', () => {
    expect(
      quantileOf(
        0.5,
        buckets([
          [1, 0],
          [Infinity, 0],
        ]),
      ),
    ).toBeUndefined();
    expect(quantileOf(0.5, [])).toBeUndefined();
  });

  test('are taken over what was counted between the scrapes, summed over the other labels', async () => {
    const page = (scale: number) =>
      ['a', 'b']
        .map(
          (db) =>
            `wait_bucket{db="${db}",le="1"} ${scale}\nwait_bucket{db="${db}",le="2"} ${scale * 2}\nwait_bucket{db="${db}",le="+Inf"} ${scale * 2}\n`,
        )
        .join('');
    const [a = [], b = []] = await scrapes(`# TYPE wait histogram\n${page(10)}`, `# TYPE wait histogram\n${page(20)}`);
    expect(quantileBetween(0.75, a, b, 'wait')).toEqual({ value: 1.5, atLeast: false });
    expect(quantileBetween(0.75, b, b, 'wait')).toBeUndefined();
  });
});
