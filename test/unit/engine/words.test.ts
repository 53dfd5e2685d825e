import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { distance, normaliseWord, splitWords } from '#engine/words.ts';

const texts = (text: string): string[] => splitWords(text).map((word) => word.text);

describe('words', () => {
  test.each([
    ['a  b\tc\nd', ['a', 'b', 'c', 'd']],
    ['a\u00a0b\u2003c\u3000d', ['a', 'b', 'c', 'd']],
    ['say "two words" now', ['say', 'two words', 'now']],
    ['say “two words” now', ['say', 'two words', 'now']],
    ['say „two words“ now', ['say', 'two words', 'now']],
    ['""', ['']],
    ['–soft —soft ―soft --soft -s', ['--soft', '--soft', '--soft', '--soft', '-s']],
    ['5–10 –5 a—b', ['5–10', '–5', 'a—b']],
    ['‘it’s’', ["'it's'"]],
    ['mal\u200blory \u202e@bob \u2066x\u2069 \ufeff', ['mallory', '@bob', 'x']],
    ['e\u0301', ['\u00e9']],
    ['a"b c"d', ['a"b', 'c"d']],
    ['', []],
  ])('%j', (text, words) => expect(texts(text)).toEqual(words));

  test('a quote that does not end is told, not thrown', () => {
    expect(splitWords('say "two words')).toMatchObject([
      { open: false },
      { text: '"two', open: true },
      { open: false },
    ]);
    expect(splitWords('«two words»')[0]).toMatchObject({ open: true });
    expect(splitWords('24" screen').every((word) => !word.open)).toBe(true);
  });

  test('any text: never throws, and each word stands where it says', () => {
    const odd = fc.string({
      unit: fc.constantFrom(
        'a',
        ' ',
        '"',
        '“',
        '”',
        '„',
        '«',
        '–',
        '-',
        '\u00a0',
        '\u200b',
        '\n',
        "'",
        'é',
        '\ud800',
        '😀',
      ),
    });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), odd), (text) => {
        let from = 0;
        for (const word of splitWords(text)) {
          expect(word.start).toBeGreaterThanOrEqual(from);
          expect(word.end).toBeGreaterThan(word.start);
          const raw = text.slice(word.start, word.end);
          expect(word.text).toBe(normaliseWord(word.quoted ? raw.slice(1, -1) : raw));
          if (!word.quoted) expect(raw).not.toMatch(/\s/);
          from = word.end;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('a long line of anything is split in a moment', () => {
    for (const piece of ['"', '“', '„”', '" ', 'a', '– ', '\u200b', '"„']) {
      const before = performance.now();
      splitWords(piece.repeat(60_000 / piece.length));
      expect(performance.now() - before, piece).toBeLessThan(2000);
    }
  });
});

describe('the distance of two words', () => {
  test.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['disable', 'disbale', 1],
    ['disable', 'disble', 1],
    ['disable', 'enable', 3],
    ['kitten', 'sitting', 3],
    ['ca', 'abc', 3],
  ])('%s, %s: %i', (a, b, far) => expect(distance(a, b)).toBe(far));

  test('is a distance but for its triangle', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const far = distance(a, b);
        expect(distance(b, a)).toBe(far);
        expect(far === 0).toBe(a === b);
        expect(far).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
        expect(far).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
