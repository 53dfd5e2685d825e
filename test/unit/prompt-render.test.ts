import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { renderHtml, renderText } from '#sandbox/prompt/render.ts';
import { type Row, displayWidth, paint, rowText, rowWidth, wrapRow } from '#sandbox/prompt/rows.ts';

const text = (rows: Row[]): string => rows.map((row) => paint(row, false)).join('\n');
const html = (source: string, width?: number): string => text(renderHtml(source, width));

describe('the HTML of a message', () => {
  test('a table is aligned by what its cells take on the screen, with a rule below the head', () => {
    const source =
      '<table><thead><tr><th>part</th><th>state</th></tr></thead><tbody>' +
      '<tr><td>Synapse</td><td>🟢 fine</td></tr><tr><td>日本</td><td>x</td></tr></tbody></table>';
    expect(html(source)).toBe('part     state\n───────  ───────\nSynapse  🟢 fine\n日本     x');
  });

  test('a table wider than the screen wraps within its columns', () => {
    const source = '<table><tr><td>alpha</td><td>one two three four five six</td></tr></table>';
    expect(html(source, 20)).toBe('alpha  one two three\n       four five six');
  });

  test('lists are numbered and marked, and wrapped lines hang', () => {
    expect(html('<ol><li>one</li><li>two<ul><li>deep</li></ul></li></ol>')).toBe('1. one\n2. two\n   • deep');
    expect(html('<ul><li>aaa bbb ccc</li></ul>', 12)).toBe('• aaa bbb\n  ccc');
  });

  test('details stand open under their summary', () => {
    expect(html('<details><summary>All 3</summary><p>a</p><p>b</p></details>after')).toBe('▾ All 3\n  a\n  b\nafter');
  });

  test('code keeps its blanks and lines, text does not', () => {
    expect(html('<p>a   b\n c</p><pre><code>x   y\n  z &lt;1&gt;\n</code></pre>')).toBe('a b c\n  x   y\n    z <1>');
  });

  test('a link whose text says something else shows where it goes', () => {
    expect(html('<a href="https://x.test/">https://x.test/</a>')).toBe('https://x.test/');
    expect(html('<a href="https://matrix.to/#/%40mallory%3Aopsroom.test">Alice</a>')).toBe(
      'Alice (@mallory:opsroom.test)',
    );
  });

  test('the quoted fallback of a rich reply is left out', () => {
    expect(html('<mx-reply><blockquote>old</blockquote></mx-reply>new')).toBe('new');
  });

  test('bold, code and headings are ANSI on a terminal, and nothing elsewhere', () => {
    const rows = renderHtml('<h3>T</h3><b>b</b> <code>c</code>', undefined);
    expect(rows.map((row) => paint(row, true)).join('|')).toBe(
      '\u001b[1mT\u001b[0m|\u001b[1mb\u001b[0m \u001b[36mc\u001b[0m',
    );
    expect(text(rows)).toBe('T\nb c');
  });

  test('an unknown tag, a stray bracket and an unclosed tag lose no text', () => {
    expect(html('<font color=red>a</font> < b <b>c')).toBe('a < b c');
  });
});

describe('text from outside', () => {
  test('escape sequences and hidden characters never reach the terminal, raw or as entities', () => {
    const nasty = '\u001b[2J\u001b]0;title\u0007\u202eevil\u200b\u0000';
    for (const rows of [renderText(nasty, undefined), renderHtml(`<p>${nasty}&#27;[2J&#x202e;</p>`, undefined)]) {
      // oxlint-disable-next-line no-control-regex -- these are what must not be there
      expect(text(rows)).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e\u200b]/);
      expect(text(rows)).toContain('evil');
    }
  });

  test('whatever a body holds, it renders without a control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (body, asHtml) => {
        const rows = asHtml ? renderHtml(body, 40) : renderText(body, 40);
        // oxlint-disable-next-line no-control-regex -- these are what must not be there
        expect(rows.map(rowText).join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
  });
});

describe('rows', () => {
  test('width counts what the terminal shows', () => {
    expect(['a', '日', '✅', '❌', '⚠️', '⚠', 'é', 'e\u0301', '👨‍👩‍👧', '👍🏽'].map(displayWidth)).toEqual([
      1, 2, 2, 2, 2, 1, 1, 1, 2, 2,
    ]);
  });

  test('wrapping keeps all words and no row is too wide', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z✅日]{1,30}$/u)),
        fc.integer({ min: 2, max: 30 }),
        (words, width) => {
          const rows = wrapRow([{ text: words.join(' '), style: {} }], width);
          for (const row of rows) expect(rowWidth(row)).toBeLessThanOrEqual(width);
          expect(rows.map(rowText).join('').replaceAll(' ', '')).toBe(words.join(''));
        },
      ),
    );
  });
});
