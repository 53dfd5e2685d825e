import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ago, formatBytes, formatDuration, parseBytes, parseDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { growth, linear } from '#test/fixtures/growth.ts';

const onlyOpsErrors = (parse: (text: string) => unknown) => (text: string) => {
  try {
    parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(OpsError);
    expect((error as OpsError).kind).toBe('invalid');
  }
};

describe('durations', () => {
  test.each([
    ['0s', 0],
    ['850ms', 850],
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    [' 2H ', 7_200_000],
    ['30d', 2_592_000_000],
    ['2w', 1_209_600_000],
    ['3650d', 315_360_000_000],
  ])('%s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    '',
    ' ',
    '5',
    'm',
    '5 m',
    '-5m',
    '1.5h',
    '5min',
    '5m!',
    '3651d',
    '99999999999999999999d',
    '٥m',
    '5m 3s',
    '1e3s',
    '0x5s',
  ])('"%s" is refused with how to write it', (text) =>
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ kind: 'invalid', hint: expect.stringContaining('1h30m') as string }),
    ),
  );

  test('any text is parsed or refused', () => fc.assert(fc.property(fc.string(), onlyOpsErrors(parseDuration))));

  test('every sum of units is read as that sum', () => {
    const part = fc.tuple(
      fc.integer({ min: 0, max: 99 }),
      fc.constantFrom(
        ['s', 1000] as const,
        ['m', 60_000] as const,
        ['h', 3_600_000] as const,
        ['d', 86_400_000] as const,
      ),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const text = parts.map(([count, [unit]]) => `${count}${unit}`).join('');
        expect(parseDuration(text)).toBe(parts.reduce((sum, [count, [, ms]]) => sum + count * ms, 0));
      }),
    );
  });

  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [1000, '1 s'],
    [2449, '2.4 s'],
    [9999, '10 s'],
    [59_999, '1 min'],
    [65_000, '1 min 5 s'],
    [3_600_000, '1 h'],
    [12_000_000, '3 h 20 min'],
    [3_605_000, '1 h'],
    [1_036_800_000, '12 d'],
    [90_000_000, '1 d 1 h'],
  ])('%i ms in words: %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test('in words it is never off by more than its smallest unit', () => {
    const ms: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 400 * 86_400_000 }), (duration) => {
        const words = formatDuration(duration).split(' ');
        let sum = 0;
        for (let at = 0; at < words.length; at += 2) sum += Number(words[at]) * ms[words[at + 1]!]!;
        const least =
          words.length === 4
            ? ms[words[3]!]!
            : duration < 10_000
              ? 51
              : duration < 60_000
                ? 1000
                : ms[words[1]!]! / (words[1] === 'min' ? 60 : words[1] === 'h' ? 60 : 24);
        expect(Math.abs(sum - duration)).toBeLessThanOrEqual(least);
      }),
    );
  });

  test('how long ago', () => {
    expect(ago(1000, 5000)).toBe('just now');
    expect(ago(0, 3 * 86_400_000)).toBe('3 d ago');
    // The clock of another machine may be ahead.
    expect(ago(5000, 1000)).toBe('just now');
  });
});

describe('sizes', () => {
  test.each([
    ['512B', 512],
    ['1KiB', 1024],
    ['10MiB', 10_485_760],
    ['1.5 GiB', 1_610_612_736],
    ['2tib', 2_199_023_255_552],
  ])('%s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));
  test.each(['10MB', '10', '10 M', '', '-1B', '1,5GiB', '1e3B', '99999999999TiB'])('"%s" is refused', (text) =>
    expect(() => parseBytes(text)).toThrow(expect.objectContaining({ kind: 'invalid' })),
  );
  test('any text is parsed or refused', () => fc.assert(fc.property(fc.string(), onlyOpsErrors(parseBytes))));
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1_503_238_554, '1.4 GiB'],
    [12 * 1024, '12 KiB'],
    [5 * 1024 ** 5, '5120 TiB'],
  ])('%i bytes in words: %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

test.each(['9', '1s', '1', 'ms', ' ', '1.'])('H1: its time is linear in a text of nothing but %j', (piece) => {
  for (const parse of [parseDuration, parseBytes]) {
    const attempt = (size: number): void => onlyOpsErrors(parse)(piece.repeat(size));
    expect(growth(attempt, 1500)).toBeLessThan(linear);
  }
});
