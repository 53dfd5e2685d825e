import { describe, expect, test } from 'vitest';
import type { Finding } from '#domain/health.ts';
import { findingLine, healthLine, troubled, verdictOf } from '#domain/health-words.ts';
import type { Verdict } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import { judge, limitText, type Rule, since, worst } from '#domain/rules.ts';
import { formatValue } from '#domain/units.ts';

const now = Date.parse('2026-08-03T09:00:00Z');
const finding = (title: string, verdict: Verdict, value = 'up'): Finding => ({
  name: 'x.y',
  part: 'x',
  title,
  verdict,
  value,
  limit: undefined,
  note: undefined,
  since: undefined,
  readAt: now,
});

describe('the line', () => {
  test.each([
    ['nothing', [], 'Unknown: nothing has been read yet.', 'unknown'],
    ['what was not read yet', [finding('a', 'none')], 'Unknown: nothing has been read yet.', 'unknown'],
    [
      'well',
      [finding('a', 'ok'), finding('b', 'ok'), finding('c', 'none')],
      'All well: 2 readings, all within limits.',
      'ok',
    ],
    ['unknown only', [finding('a', 'ok'), finding('b', 'unknown', 'unknown')], '1 unknown: b.', 'unknown'],
    [
      'all kinds',
      [finding('a', 'warning', '5'), finding('b', 'unknown'), finding('c', 'critical', 'down')],
      '1 critical: c down. 1 warning. 1 unknown.',
      'critical',
    ],
    ['many', ['a', 'b', 'c'].map((title) => finding(title, 'warning', '9')), '3 warning: a 9, b 9, ….', 'warning'],
  ] satisfies Array<[string, Finding[], string, Verdict]>)(
    'of %s answers the question',
    (_, findings, line, verdict) => {
      expect(healthLine(findings)).toBe(line);
      expect(verdictOf(findings)).toBe(verdict);
    },
  );

  test('of one finding says limit, since when and why', () => {
    const one = {
      ...finding('sync latency', 'critical', '7.2 s'),
      limit: 'above 5 s',
      note: 'No reason.',
      since: now - 90_000,
    };
    expect(findingLine(one, now, 'Europe/Berlin')).toEqual([
      { bold: 'critical' },
      ' sync latency 7.2 s, above 5 s, since 10:58 +02:00 (1 min 30 s): No reason.',
    ]);
  });

  test('puts the worst first', () => {
    expect(
      troubled([finding('u', 'unknown'), finding('w', 'warning'), finding('o', 'ok'), finding('c', 'critical')]).map(
        ({ title }) => title,
      ),
    ).toEqual(['c', 'w', 'u']);
  });
});

describe('a rule', () => {
  const rule: Rule = { name: 'r', alert: 'R', of: 'v', is: 'above', warning: 10, critical: 100, forMs: 0, help: '' };
  test.each([
    [10, 'ok'],
    [10.1, 'warning'],
    [100, 'warning'],
    [101, 'critical'],
    [undefined, 'unknown'],
  ])('above its limits: %s is %s', (value, verdict) => expect(judge(rule, value, {})).toBe(verdict));
  test('without limits is never broken', () => {
    expect(judge({ ...rule, warning: undefined, critical: undefined }, 1e9, {})).toBe('ok');
  });
  test('names the limit that is broken, or the first that would be', () => {
    expect(limitText(rule, 'count', 'critical', {})).toBe('above 100');
    expect(limitText(rule, 'count', 'ok', {})).toBe('above 10');
  });
  test('knows since when it has been so', () => {
    const at = (values: Array<number | undefined>) =>
      values.map((value, index) => ({ series: 's', at: index, value, note: undefined }));
    const bad = (value: number | undefined) => value === 9;
    expect(since(at([9, 1, 9, 9]), bad)).toBe(2);
    expect(since(at([1, 9, undefined, 9]), bad)).toBe(1);
    expect(since(at([9, 9, 1]), bad)).toBeUndefined();
    expect(since(at([]), bad)).toBeUndefined();
  });
  test('unknown is worse than well and better than bad', () => {
    expect(worst(['ok', 'unknown', 'none'])).toBe('unknown');
    expect(worst(['warning', 'unknown'])).toBe('warning');
  });
});

test('values carry their unit', () => {
  expect(formatValue('up', 0)).toBe('down');
  expect(formatValue('ms', -3 * 86_400_000)).toBe('3 d ago');
  expect(formatValue('ratio', 0.876)).toBe('88 %');
  expect(formatValue('ratio', 0.0312)).toBe('3.1 %');
  expect(formatValue('bits/s', 1_250_000)).toBe('1.25 Mbit/s');
  expect(formatValue('bits/s', 0)).toBe('0 bit/s');
  expect(formatValue('bytes', 4 * 1024 ** 3)).toBe('4.0 GiB');
  expect(formatValue('count', 3)).toBe('3');
});

test('times carry their offset, and their date unless it is today', () => {
  expect(formatMoment(now, 'Europe/Berlin', now)).toBe('11:00 +02:00');
  expect(formatMoment(now - 86_400_000, 'Europe/Berlin', now)).toBe('2026-08-02 11:00 +02:00');
  expect(formatMoment(Date.parse('2026-08-02T22:30:00Z'), 'Europe/Berlin', now)).toBe('00:30 +02:00');
});
