import { expect, test } from 'vitest';
import { Listening } from '#adapters/matrix/listening.ts';

const minute = 60_000;

test('A4 after a start the first answer may be an old one: what the second brings is as late', () => {
  const listening = new Listening(0);
  expect(listening.caughtUp).toBe(false);
  const kept = listening.answered(15 * minute);
  expect(kept).toEqual({ awayMs: 15 * minute, at: 0 });
  listening.stored(kept.at);
  const rest = listening.answered(15 * minute + 100);
  expect(rest).toEqual({ awayMs: 15 * minute + 100, at: 15 * minute + 100 });
  listening.stored(rest.at);
  expect(listening.answered(16 * minute).awayMs).toBe(minute - 100);
});

test('A4 an outage is met like a start, and what could not be stored is late still', () => {
  const listening = new Listening(0);
  for (let answers = 0; answers < 2; answers += 1) listening.stored(listening.answered(1000).at);
  listening.cutOff();
  listening.stored(listening.answered(10 * minute).at);
  expect(listening.answered(10 * minute + 5).awayMs).toBe(10 * minute - 995);
  expect(listening.answered(10 * minute + 9).awayMs).toBe(10 * minute - 991);
});

test('the first start ever has missed nothing', () => {
  const listening = new Listening(undefined);
  expect(listening.answered(5 * minute)).toEqual({ awayMs: 0, at: 5 * minute });
});
