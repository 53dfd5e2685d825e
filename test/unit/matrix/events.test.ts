import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyOf, itemOf, linksOf, type MatrixEvent, threadOf } from '#adapters/matrix/events.ts';
import { learn, noFacts } from '#adapters/matrix/facts.ts';
import { botUser, idOf, opsRoom, site } from '#test/fakes/house.ts';

const message = (content: Record<string, unknown>, set: Partial<MatrixEvent> = {}): MatrixEvent => ({
  event_id: '$1',
  type: 'm.room.message',
  sender: idOf('alice'),
  origin_server_ts: 5,
  content: { msgtype: 'm.text', body: '!ping', ...content },
  ...set,
});
const item = (event: MatrixEvent) => itemOf(event, { site, room: opsRoom, bot: botUser, takenAt: 9 });
const relates = (relation: object): { 'm.relates_to': object } => ({ 'm.relates_to': relation });
const text = (content: Record<string, unknown>): string | undefined => {
  const body = bodyOf(message(content));
  return body?.kind === 'message' ? body.text : undefined;
};

describe('what asks', () => {
  test('a text, with who, where, when and how sure', () => {
    expect(item(message({}))).toEqual({
      source: 'matrix',
      key: '$1',
      site,
      room: opsRoom,
      thread: undefined,
      sender: idOf('alice'),
      device: undefined,
      proof: 'clear',
      body: { kind: 'message', text: '!ping', links: [] },
      sentAt: 5,
      takenAt: 9,
    });
  });

  test('a reaction, and what takes back', () => {
    expect(
      item(message({ ...relates({ rel_type: 'm.annotation', key: '✅', event_id: '$q' }) }, { type: 'm.reaction' })),
    ).toMatchObject({
      proof: 'reaction',
      body: { kind: 'reaction', emoji: '✅', on: '$q' },
    });
    const edit = message({
      body: '* !disable bob',
      'm.new_content': { msgtype: 'm.text', body: '!disable bob' },
      ...relates({ rel_type: 'm.replace', event_id: '$0' }),
    });
    expect(item(edit)?.body).toEqual({ kind: 'withdrawn', event: '$0' });
    expect(item({ ...message({}), type: 'm.room.redaction', redacts: '$0', content: {} })?.body).toEqual({
      kind: 'withdrawn',
      event: '$0',
    });
    expect(item({ ...message({}), type: 'm.room.redaction', content: { redacts: '$0' } })?.body).toEqual({
      kind: 'withdrawn',
      event: '$0',
    });
  });

  test.each<[string, MatrixEvent]>([
    ['the bot’s own', message({}, { sender: botUser })],
    ['a notice', message({ msgtype: 'm.notice' })],
    ['an emote', message({ msgtype: 'm.emote' })],
    ['a picture', message({ msgtype: 'm.image' })],
    ['a redacted one', message({}, { content: {} })],
    ['a sticker', message({}, { type: 'm.sticker' })],
    ['an encrypted one', message({}, { type: 'm.room.encrypted' })],
    ['a member event', message({}, { type: 'm.room.member', state_key: idOf('bob') })],
    ['another kind of reaction', message(relates({ rel_type: 'm.reference', event_id: '$q' }), { type: 'm.reaction' })],
    ['one without a sender', { ...message({}), sender: '' }],
    ['one whose sender is no user', message({}, { sender: 'alice' })],
    ['one without an id', { ...message({}), event_id: '' }],
    ['a redaction of nothing', { ...message({}), type: 'm.room.redaction', content: {} }],
  ])('not %s', (_, event) => expect(item(event)).toBeUndefined());

  test('the time is the server’s own when the sender gave none', () => {
    expect(item({ ...message({}), origin_server_ts: 'soon' as never })?.sentAt).toBe(9);
  });

  test('the thread, and no other relation', () => {
    expect(threadOf(message(relates({ rel_type: 'm.thread', event_id: '$root' })))).toBe('$root');
    for (const relation of [
      { rel_type: 'm.replace', event_id: '$x' },
      { 'm.in_reply_to': { event_id: '$x' } },
      { rel_type: 'm.thread' },
      { rel_type: 'm.thread', event_id: 7 },
    ]) {
      expect(threadOf(message(relates(relation)))).toBeUndefined();
    }
  });
});

describe('the quote of a reply', () => {
  const reply = relates({ 'm.in_reply_to': { event_id: '$q' } });
  test.each([
    ['> <@bob:example.org> !disable alice\n\n!ping', '!ping'],
    ['> <@bob:example.org> a\n> b\n\n!ping\n!pong', '!ping\n!pong'],
    ['> * <@bob:example.org> waves\n\n!ping', '!ping'],
    ['> quote\n!ping', '!ping'],
    ['> !disable alice', ''],
    ['> a\n> !disable alice', ''],
    ['!ping', '!ping'],
    ['!note > not a quote', '!note > not a quote'],
    ['> a\n\n> !typed as a quote', '> !typed as a quote'],
  ])('%j asks %j', (body, asked) => expect(text({ body, ...reply })).toBe(asked));

  test('without a reply nothing is a quote', () => expect(text({ body: '> a\n\n!ping' })).toBe('> a\n\n!ping'));

  test('nothing of a quote is ever a command', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('!', 'p', ' ', '>', 'x') }), { minLength: 1 }),
        fc.string(),
        (quoted, typed) => {
          const body = `${quoted.map((line) => `> ${line}`).join('\n')}\n\n${typed}`;
          expect(text({ body, ...reply })).toBe(typed);
        },
      ),
    );
  });

  test('the pills of a quote are not of the command', () => {
    const html =
      '<mx-reply><blockquote><a href="https://matrix.to/#/@bob:example.org">Bob</a></blockquote></mx-reply>!user <a href="https://matrix.to/#/@eve:example.org">Eve</a>';
    expect(linksOf(html)).toEqual([{ href: 'https://matrix.to/#/@eve:example.org', text: 'Eve' }]);
  });
});

describe('links', () => {
  test.each([
    ['<a href="https://matrix.to/#/%40bob%3Ax">Bob</a>', [{ href: 'https://matrix.to/#/%40bob%3Ax', text: 'Bob' }]],
    ["<A class='x' HREF='y'><b>a</b> &amp; <i>b</i></A>", [{ href: 'y', text: 'a & b' }]],
    [
      '<a href="x?a=1&amp;b=2">&lt;b&gt; &#39;&quot;&#x27;&#233;&apos;&nbsp;</a>',
      [{ href: 'x?a=1&b=2', text: `<b> '"'é'\u00a0` }],
    ],
    [
      '<a href="1">one</a> <a href="2">two</a>',
      [
        { href: '1', text: 'one' },
        { href: '2', text: 'two' },
      ],
    ],
    ['<a href="1">one<a href="2">two</a>', [{ href: '2', text: 'two' }]],
    ['<a name="x">no link</a>', []],
    ['<abbr href="x">no link</abbr>', []],
    ['<a href="x">never closed', []],
    ['<a\nhref="x">a</a>', [{ href: 'x', text: 'a' }]],
    ['&#xfffffff; &#99999999; <a href="&#0;">&bogus;</a>', [{ href: '\u0000', text: '&bogus;' }]],
    ['', []],
  ])('%j', (html, links) => expect(linksOf(html)).toEqual(links));

  test('60 KB of a stranger’s HTML takes a moment', () => {
    for (const piece of [
      '<a href="">',
      '<a ',
      "<a href=''",
      '<a href="',
      '<mx-reply>',
      '<',
      '>',
      '<a href="x">y</a>',
      '&amp;',
      '<a \t href=\'"',
    ]) {
      const html = piece.repeat(60_000 / piece.length);
      const before = performance.now();
      linksOf(html);
      expect(performance.now() - before, piece).toBeLessThan(2000);
    }
  });
});

test('any event is taken or left, never thrown at', () => {
  const wild = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  const content = fc.record(
    {
      msgtype: fc.oneof(wild, fc.constant('m.text')),
      body: wild,
      formatted_body: wild,
      'm.relates_to': fc.oneof(
        wild,
        fc.record(
          {
            rel_type: fc.constantFrom('m.thread', 'm.replace', 'm.annotation'),
            event_id: wild,
            key: wild,
            'm.in_reply_to': wild,
          },
          { requiredKeys: [] },
        ),
      ),
    },
    { requiredKeys: [] },
  );
  const event = fc.record({
    event_id: fc.constant('$1'),
    type: fc.constantFrom(
      'm.room.message',
      'm.reaction',
      'm.room.redaction',
      'm.room.member',
      'm.room.create',
      'm.room.join_rules',
    ),
    sender: fc.oneof(fc.constant('@alice:example.org'), fc.string()),
    content: fc.oneof(content, wild),
    redacts: wild,
    origin_server_ts: wild,
    state_key: wild,
  });
  fc.assert(
    fc.property(event, (given) => {
      const taken = item(given as MatrixEvent);
      if (taken) expect(JSON.parse(JSON.stringify(taken.body))).toEqual(taken.body);
      expect(learn(noFacts(opsRoom), given as MatrixEvent).room).toBe(opsRoom);
    }),
    { numRuns: 1000 },
  );
});

describe('what is known of the room', () => {
  const member = (name: string, membership: string): MatrixEvent => ({
    type: 'm.room.member',
    state_key: idOf(name),
    content: { membership },
  });
  test('who is in it', () => {
    let facts = noFacts(opsRoom);
    for (const event of [member('a', 'join'), member('b', 'invite'), member('c', 'join'), member('a', 'join')])
      facts = learn(facts, event);
    expect(facts.joined.toSorted()).toEqual([idOf('a'), idOf('c')]);
    for (const membership of ['leave', 'ban', 'knock', 'invite'])
      expect(learn(facts, member('c', membership)).joined).toEqual([idOf('a')]);
  });
  test('what is no state event teaches nothing', () => {
    const facts = noFacts(opsRoom);
    expect(learn(facts, { type: 'm.room.member', sender: idOf('a'), content: { membership: 'join' } })).toBe(facts);
    expect(learn(facts, { type: 'm.room.topic', state_key: '', content: {} })).toBe(facts);
  });
  test('its rules, its version, and that it is encrypted for good', () => {
    let facts = noFacts(opsRoom);
    for (const event of [
      { type: 'm.room.create', state_key: '', content: { room_version: '12' } },
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'invite' } },
      { type: 'm.room.encryption', state_key: '', content: {} },
    ])
      facts = learn(facts, event);
    expect(facts).toMatchObject({ version: '12', joinRule: 'invite', encrypted: true });
  });
});
