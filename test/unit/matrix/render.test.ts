import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render } from '#adapters/matrix/render.ts';
import type { Block, Line, Reply, Span } from '#domain/messages.ts';
import { idOf } from '#test/fakes/house.ts';
import { wordsOf, wrongIn } from '#test/fixtures/html-check.ts';

const bad = fc.constantFrom(
  '<b>',
  '</p>',
  '<script>alert(1)</script>',
  '"',
  "'",
  '&',
  '&amp;',
  '<',
  '>',
  '@room',
  '@ROOM!',
  '\u202e',
  '\u2066',
  '\u200b',
  '\u00ad',
  '\u061c',
  '\ud83d',
  '😀',
  '\n',
  'a',
  ' ',
  '](x)',
  '<img src=x onerror=1>',
  '" onclick="x',
);
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.array(bad, { maxLength: 6 }).map((parts) => parts.join('')),
);
const span: fc.Arbitrary<Span> = fc.oneof(
  text,
  fc.record({ code: text }),
  fc.record({ bold: text }),
  fc.record({
    link: fc.oneof(
      text,
      fc.constantFrom(
        'https://x.org/?a=1&b="',
        'javascript:alert(1)',
        ' javascript:x',
        'JAVASCRIPT:x',
        'data:text/html,x',
        'mailto:a@b',
        'matrix:u/x',
      ),
    ),
    text,
  }),
  fc.constant({ user: idOf('mallory') }),
);
const line: fc.Arbitrary<Line> = fc.oneof(span, fc.array(span, { maxLength: 3 }));
const lines = fc.array(line, { maxLength: 3 });
const { block } = fc.letrec<{ block: Block }>((tie) => ({
  block: fc.oneof(
    { depthSize: 'small' },
    fc.record({ kind: fc.constant('text' as const), lines }),
    fc.record({ kind: fc.constant('list' as const), items: lines, ordered: fc.boolean() }),
    fc.record({
      kind: fc.constant('table' as const),
      head: fc.array(text, { maxLength: 3 }),
      rows: fc.array(lines, { maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('code' as const), text }),
    fc.record({
      kind: fc.constant('details' as const),
      summary: text,
      blocks: fc.array(tie('block'), { maxLength: 2 }),
    }),
  ),
}));
const reply: fc.Arbitrary<Reply> = fc.record({
  title: line,
  blocks: fc.array(block, { maxLength: 4 }),
  offers: fc.array(fc.record({ text, command: text }), { maxLength: 2 }),
});
// eslint-disable-next-line no-control-regex -- what people see is what is meant
const hidden = /[\u00ad\u061c\u200b\u200c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;

describe('whatever comes from outside', () => {
  test('the HTML keeps to the list of room.md', () => {
    fc.assert(
      fc.property(reply, (given) => {
        expect(wrongIn(render(given).html)).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });

  test('no hidden sign is left in either body, and neither rings for the room', () => {
    fc.assert(
      fc.property(reply, (given) => {
        const { body, html } = render(given);
        for (const shown of [body, html]) {
          expect(shown).not.toMatch(hidden);
          expect(shown).not.toMatch(/@room\b/i);
          expect(shown.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('both bodies say the same words', () => {
    const words = (from: string): string => from.replaceAll(/[\s():\-.\d]/g, '');
    const plain = fc.stringMatching(/^[a-zA-Z<>&"é😀]{1,8}$/u);
    const safe: fc.Arbitrary<Line> = fc.oneof(plain, fc.record({ code: plain }), fc.record({ bold: plain }));
    fc.assert(
      fc.property(safe, fc.array(safe, { minLength: 1, maxLength: 3 }), plain, (title, items, cell) => {
        const { body, html } = render({
          title,
          blocks: [
            { kind: 'list', items },
            { kind: 'table', head: [cell], rows: items.map((item) => [item]) },
            { kind: 'details', summary: cell, blocks: [{ kind: 'code', text: cell }] },
          ],
          offers: [{ text: cell, command: cell }],
        });
        expect(words(wordsOf(html))).toBe(words(body));
      }),
    );
  });
});

describe('names that would pass for others', () => {
  test.each([
    ['al\u202eecila', 'al[U+202E]ecila'],
    ['\u200balice', '[U+200B]alice'],
    ['ali\u00adce', 'ali[U+AD]ce'],
    ['\u061calice', '[U+61C]alice'],
    ['ali\u2060ce', 'ali[U+2060]ce'],
    ['alice\u3164', 'alice[U+3164]'],
    ['ali\u200dce', 'ali[U+200D]ce'],
    ['\u{e0041}alice', '[U+E0041]alice'],
    ['\ud83d', '\ufffd'],
  ])('%j is shown as %s', (name, shown) => {
    expect(render({ title: name })).toEqual({ body: shown, html: shown });
    expect(render({ title: [{ code: name }] }).body).toBe(shown);
    expect(render({ title: [{ bold: name }] }).body).toBe(shown);
    expect(render({ title: [{ link: `https://x.org/${name}`, text: name }] }).body).toBe(
      `${shown} (https://x.org/${shown})`,
    );
    expect(render({ title: 'x', blocks: [{ kind: 'table', head: [name], rows: [[name]] }] }).body).toBe(
      `x\n\n${shown}\n${shown}`,
    );
    expect(
      render({ title: 'x', blocks: [{ kind: 'details', summary: name, blocks: [{ kind: 'code', text: name }] }] }).body,
    ).toBe(`x\n\n${shown}:\n${shown}`);
  });

  test.each(['👩‍🚒', '🏳️‍🌈', '👨🏽‍🚒', 'नमस्ते', 'שלום', 'Ωmega', '日本'])('%s stays as it is', (name) =>
    expect(render({ title: name }).body).toBe(name),
  );
});

describe('nobody is called by accident', () => {
  test.each(['@room', 'a @room b', '@room!', '@ROOM', '@Room: hello'])('%s', (said) => {
    const { body, html } = render({ title: said, blocks: [{ kind: 'code', text: said }] });
    expect(body).not.toMatch(/@room/i);
    expect(html).not.toMatch(/@room/i);
    expect(body.replaceAll('\u2060', '')).toContain(said);
  });
  test('a word that only begins like it stays', () => expect(render({ title: '@roomba' }).body).toBe('@roomba'));
});

describe('how it looks', () => {
  test('a title alone is a line; with more it is bold', () => {
    expect(render({ title: ['a ', { code: 'b' }] }).html).toBe('a <code>b</code>');
    expect(render({ title: 'a', blocks: [{ kind: 'text', lines: ['b'] }] }).html).toBe('<p><b>a</b></p><p>b</p>');
  });
  test('lists, tables, details and offers', () => {
    const { body, html } = render({
      title: 'Users',
      blocks: [
        { kind: 'list', items: ['one', ['two ', { bold: 'x' }]], ordered: true },
        {
          kind: 'table',
          head: ['who', 'n'],
          rows: [
            [{ user: idOf('bob') }, '1'],
            ['é', '22'],
          ],
        },
        { kind: 'details', summary: 'more', blocks: [{ kind: 'list', items: ['in'] }] },
      ],
      offers: [{ text: 'Undo', command: '!enable @bob:example.org' }],
    });
    expect(body).toBe(
      'Users\n\n1. one\n2. two x\n\nwho               n\n@bob:example.org  1\né                 22\n\nmore:\n- in\n\n- Undo: !enable @bob:example.org',
    );
    expect(html).toContain('<a href="https://matrix.to/#/%40bob%3Aexample.org">@bob:example.org</a>');
    expect(html).toContain('<details><summary>more</summary><ul><li>in</li></ul></details>');
    expect(wrongIn(html)).toEqual([]);
  });
  test('a link that would run something leads nowhere', () => {
    for (const link of [
      'javascript:alert(1)',
      ' javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      '//evil.org',
      'file:///etc/passwd',
    ]) {
      expect(render({ title: [{ link, text: 'x' }] }).html, link).toBe('<a href="">x</a>');
    }
  });
});

test('the checker of this file finds what is wrong', () => {
  for (const html of [
    '<script>',
    '<b>',
    '</b>',
    '<b><i></b></i>',
    '<a href="javascript:x">y</a>',
    '<a onclick="x">y</a>',
    '<b class="x">y</b>',
    'a & b',
    'a > b',
    '<img>',
    'say "x"',
  ]) {
    expect(wrongIn(html), html).not.toEqual([]);
  }
  expect(wrongIn('<p><b>a</b><br>&amp; <a href="https://x.org">y</a></p>')).toEqual([]);
});
