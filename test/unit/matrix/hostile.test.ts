import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { itemOf, type MatrixEvent } from '#adapters/matrix/events.ts';
import { render } from '#adapters/matrix/render.ts';
import { messageContent } from '#adapters/matrix/room.ts';
import { OpsError } from '#domain/errors.ts';
import type { Reply } from '#domain/messages.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { Catalogue } from '#engine/catalogue.ts';
import { checkArgs, findCommand, type ParseContext, readArgs } from '#engine/parse.ts';
import { errorReply } from '#engine/speak.ts';
import { botUser, opsRoom, site } from '#test/fakes/house.ts';
import { World } from '#test/fakes/world.ts';
import { growth, linear } from '#test/fixtures/growth.ts';
import { hostileJson, hostileText, hostileTexts, isPolluted } from '#test/fixtures/hostile.ts';
import { wrongIn } from '#test/fixtures/html-check.ts';
import { realCommands } from '#test/fixtures/place.ts';
import { smallCommands } from '#test/fixtures/small-commands.ts';

// eslint-disable-next-line no-control-regex -- what people see is what is meant
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/;
const catalogue = new Catalogue(new Map(Object.entries({ ...smallCommands(new World()), ...realCommands })));
const scrubber = new Scrubber();
const context = (links: ParseContext['links'] = []): ParseContext => ({
  prefix: '!',
  bot: botUser,
  serverName: 'example.org',
  links,
});

/** From the event to what the room would be told: the whole way of a line that somebody typed. */
function answer(event: MatrixEvent): Reply | undefined {
  const item = itemOf(event, {
    site,
    room: opsRoom,
    bot: botUser,
    takenAt: 1,
    secretsIn: (text) => scrubber.find(text),
  });
  if (item?.body.kind !== 'message') return undefined;
  const at = context(item.body.links);
  try {
    const parsed = findCommand(item.body.text, catalogue, at);
    if (parsed.kind === 'none') return undefined;
    if (parsed.kind === 'unknown') return { title: `There is no command "${parsed.word}".` };
    const args = checkArgs(readArgs(parsed, catalogue, at), catalogue, at);
    return { title: parsed.name, blocks: [{ kind: 'code', text: JSON.stringify(args) }] };
  } catch (error) {
    if (!(error instanceof OpsError)) throw error;
    return errorReply(error, '!');
  }
}
const event = (body: unknown, set: object = {}): MatrixEvent => ({
  event_id: '$e',
  type: 'm.room.message',
  sender: '@alice:example.org',
  content: { msgtype: 'm.text', body, ...set },
});
const row = { id: 1, thread: undefined, replaces: undefined } as OutboxRow;
const contentOf = (reply: Reply): Record<string, unknown> =>
  messageContent(row, { kind: 'message', rings: false, reply, mentions: [], mark: { kind: 'reply' } }, () => undefined)
    .content;

/** What may go into a room: whole UTF-8, the allowed HTML, nobody rung, and small enough to be taken. */
function demandHarmless(reply: Reply): void {
  const content = contentOf(reply);
  const json = JSON.stringify(content);
  expect(Buffer.byteLength(json)).toBeLessThan(64_000);
  expect(json.isWellFormed()).toBe(true);
  expect(Buffer.from(json).toString()).toBe(json);
  expect(wrongIn(String(content['formatted_body']))).toEqual([]);
  expect(content['m.mentions']).toEqual({});
  for (const shown of [content['body'], content['formatted_body']]) {
    expect(shown).not.toMatch(/@room\b/i);
    expect(shown).not.toMatch(hidden);
    expect(shown).not.toMatch(/\p{M}{5}/u);
  }
  expect(isPolluted()).toBe(false);
}
const everywhere = (text: string): Reply => ({
  title: [text, { code: text }, { bold: text }, { link: text, text }],
  blocks: [
    { kind: 'text', lines: [text] },
    { kind: 'list', items: [text] },
    { kind: 'table', head: [text], rows: [[text]] },
    { kind: 'code', text },
    { kind: 'details', summary: text, blocks: [{ kind: 'text', lines: [text] }] },
  ],
  offers: [{ text, command: text }],
});

describe('H1: what strangers write', () => {
  test('10,000 lines through parser, answer and rendering', () => {
    const names = catalogue.names();
    const line = fc.oneof(
      hostileText,
      fc
        .tuple(
          fc.constantFrom('!', '! ', 'opsroom: ', `${botUser} `, ''),
          fc.constantFrom(...names, 'x'),
          fc.array(hostileText, { maxLength: 3 }),
        )
        .map(([prefix, name, rest]) => `${prefix}${name} ${rest.join(' ')}`),
    );
    let answered = 0;
    fc.assert(
      fc.property(line, hostileText, (body, html) => {
        const reply = answer(event(body, { formatted_body: html }));
        if (reply === undefined) return;
        answered += 1;
        demandHarmless(reply);
      }),
      { numRuns: 10_000 },
    );
    expect(answered).toBeGreaterThan(2000);
  });

  test('10,000 texts in every place of a message', () => {
    fc.assert(
      fc.property(hostileText, (text) => demandHarmless(everywhere(text))),
      { numRuns: 10_000 },
    );
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 30), text]))('%j', (_, text) => {
    demandHarmless(everywhere(text));
    for (const line of [
      text,
      `!${text}`,
      `!help ${text}`,
      `!remove mallory ${text}`,
      `!remove ${text} spam`,
      `!users --page ${text}`,
    ]) {
      const reply = answer(event(line, { formatted_body: text }));
      if (reply !== undefined) demandHarmless(reply);
    }
    expect(isPolluted()).toBe(false);
  });

  test('events of any shape', () => {
    fc.assert(
      fc.property(hostileJson, hostileJson, hostileJson, (content, body, relates) => {
        answer({ ...event(body), content: content as never });
        answer(event(body, { formatted_body: relates, 'm.relates_to': relates, msgtype: 'm.text' }));
        answer({ ...event(body), sender: body as never, origin_server_ts: content as never, type: relates as never });
      }),
      { numRuns: 3000 },
    );
    expect(isPolluted()).toBe(false);
  });

  const bricks = [
    '"',
    '<',
    '&',
    '@room',
    '\u202e',
    '\u0301',
    '\u200d',
    '\ud800',
    '1',
    '--',
    ' ',
    '\n',
    '> ',
    '<a href="',
    '<mx-reply>',
    'a',
    '\u0000',
    ':',
    '\\',
    '%',
    '😀\u200d',
  ];
  test.each(bricks)('the time is linear in a text of nothing but %j', (brick) => {
    const work = (size: number): void => {
      const text = brick.repeat(size);
      render(everywhere(text));
      for (const line of [`!help ${text}`, `!remove mallory ${text}`, `!users --page ${text}`, `!${text}`]) {
        answer(event(line, { formatted_body: text, 'm.relates_to': { 'm.in_reply_to': { event_id: '$x' } } }));
      }
    };
    expect(growth(work, 1000)).toBeLessThan(linear);
  });
});

describe('names', () => {
  test('a stack of marks is cut, languages that use them are not', () => {
    expect(render({ title: `Z${'\u0301'.repeat(1000)}!` }).body).toBe('Z\u0301\u0301\u0301\u0301!');
    for (const name of ['ก็ที่', 'हिन्दी', 'Việt', 'שָׁלוֹם', 'עִבְרִית']) expect(render({ title: name }).body).toBe(name);
  });

  test('what was shown once is shown the same again, as in a message that is cut', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const once = render({ title: 'x', blocks: [{ kind: 'code', text }] }).body;
        expect(render({ title: 'x', blocks: [{ kind: 'code', text: once.slice(3) }] }).body).toBe(once);
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['\u0301\u0301', 'room@', '@', 'room', '\udc00\ud83d', '\u200d😀'])(
    '%j beside itself is harmless too',
    (text) => {
      demandHarmless(everywhere(text));
      demandHarmless({ title: ['@', text, text, { bold: text }, 'room', text] });
      expect(isPolluted()).toBe(false);
    },
  );

  test('signs that steer a terminal are shown; a line end is one', () => {
    expect(render({ title: 'a\u001b[31mb\u0007\u0000\u009b' }).body).toBe('a[U+1B][31mb[U+7][U+0][U+9B]');
    expect(render({ title: 'x', blocks: [{ kind: 'code', text: 'a\r\nb\rc' }] }).body).toBe('x\n\na\nb[U+D]c');
  });
});
