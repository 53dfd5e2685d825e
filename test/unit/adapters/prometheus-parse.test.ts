import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMetrics } from '#adapters/prometheus/parse.ts';
import { OpsError } from '#domain/errors.ts';

const page = `# HELP http_requests_total Requests, with a \\\\ and a\\nnew line.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400",} 3
# a comment of no kind
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find \\"FILE\\"\\n{a=1}"} 1.458255915e9
# TYPE empty_total counter
# HELP empty_total Nothing yet.

# TYPE wait histogram
wait_bucket{le="0.5"} 2
wait_bucket{le="+Inf"} 3
wait_sum 1.5
wait_count 3
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
not_a_number NaN
`;

describe('the text format', () => {
  test('is read as its specification shows it', () => {
    const families = parseMetrics(page);
    const requests = families.get('http_requests_total');
    expect(requests).toMatchObject({ type: 'counter', help: 'Requests, with a \\ and a\nnew line.' });
    expect(requests?.samples.map(({ labels, value }) => [{ ...labels }, value])).toEqual([
      [{ method: 'post', code: '200' }, 1027],
      [{ method: 'post', code: '400' }, 3],
    ]);
    expect({ ...families.get('msdos_file_access_time_seconds')?.samples[0]?.labels }).toEqual({
      path: 'C:\\DIR\\FILE.TXT',
      error: 'Cannot find "FILE"\n{a=1}',
    });
    expect(families.get('wait')?.samples.map(({ name, value }) => [name, value])).toEqual([
      ['wait_bucket', 2],
      ['wait_bucket', 3],
      ['wait_sum', 1.5],
      ['wait_count', 3],
    ]);
    expect(families.get('something_weird')?.samples[0]?.value).toBe(Infinity);
    expect(families.get('not_a_number')?.samples[0]?.value).toBeNaN();
  });

  test('tells a family without samples from one that is absent', () => {
    const families = parseMetrics(page);
    expect(families.get('empty_total')).toMatchObject({ type: 'counter', samples: [] });
    expect(families.has('absent_total')).toBe(false);
  });

  test('keeps only what is wanted, histograms whole', () => {
    const families = parseMetrics(page, (name) => name === 'wait');
    expect([...families.keys()]).toEqual(['wait']);
    expect(families.get('wait')?.samples).toHaveLength(4);
  });

  test.each([
    'up',
    'up one',
    'up{} ',
    'up{a=1} 1',
    'up{a="1} 1',
    'up{a="1" b="2"} 1',
    'up{a="1",a="2"} 1',
    'up{a="1"}{b="2"} 1',
    '9up 1',
    'up 1 soon',
    'up 0x10',
    '# TYPE up wonder',
    '<html><body>Sign in</body></html>',
  ])('refuses %j', (line) => {
    expect(() => parseMetrics(`ok 1\n${line}\nok 2\n`)).toThrow(/line 2 /);
  });

  const name = fc.stringMatching(/^[a-z_:][a-z0-9_:]{0,12}$/).filter((text) => !/_(bucket|sum|count)$/.test(text));
  const labels = fc.dictionary(
    fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    { maxKeys: 4 },
  );
  const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

  test('gives back whatever was written in it', () => {
    const sample = fc.record({ name, labels, value: fc.double() });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 20 }), (samples) => {
        const text = samples
          .map((one) => {
            const inner = Object.entries(one.labels).map(([key, value]) => `${key}=${quoted(value)}`);
            const value = Object.is(one.value, -0) ? '0' : String(one.value).replace('Infinity', 'Inf');
            return `${one.name}${inner.length > 0 ? `{${inner.join(',')}}` : ''} ${value}\n`;
          })
          .join('');
        const read = [...parseMetrics(text).values()].flatMap((family) => family.samples);
        const plain = (list: typeof samples) =>
          list
            .map((one) => JSON.stringify([one.name, { ...one.labels }, String(one.value === 0 ? 0 : one.value)]))
            .toSorted();
        expect(plain(read)).toEqual(plain(samples));
      }),
      { numRuns: 300 },
    );
  });

  test('throws only its own error on rubbish, and is never slow', () => {
    const rubbish = fc.oneof(fc.string({ maxLength: 200 }), fc.stringMatching(/^[a-z{}="\\, \n#0-9.]{0,200}$/));
    fc.assert(
      fc.property(rubbish, (text) => {
        try {
          parseMetrics(text);
        } catch (error) {
          expect(error).toBeInstanceOf(OpsError);
        }
      }),
      { numRuns: 2000 },
    );
    const nasty = `up{a="${'\\\\'.repeat(50_000)}`;
    const start = performance.now();
    expect(() => parseMetrics(nasty)).toThrow(OpsError);
    expect(performance.now() - start).toBeLessThan(3000);
  });
});
