import fc from 'fast-check';
import { MatrixError } from 'matrix-bot-sdk';
import { describe, expect, test } from 'vitest';
import { type MatrixConnection, translate } from '#adapters/matrix/client.ts';
import { MatrixOpsRoom, messageContent } from '#adapters/matrix/room.ts';
import { OpsError } from '#domain/errors.ts';
import type { Outgoing, Reply } from '#domain/messages.ts';
import type { OpsRoom } from '#domain/ops-room.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { botUser, idOf, opsRoom } from '#test/fakes/house.ts';
import { FakeOpsRoom } from '#test/fakes/ops-room.ts';
import { message, row } from '#test/fixtures/outbox-rows.ts';

const outboxRow = (id: number, set: Parameters<typeof row>[1] = {}): OutboxRow => ({
  ...row(id, set),
  txn: `t.${id}`,
  state: 'pending',
  attempts: 1,
  firstTryAt: 1,
  fallbackAt: undefined,
  eventId: undefined,
  error: undefined,
});
const signal = new AbortController().signal;
const tooLarge = (): OpsError => new OpsError('invalid', 'too large', { cause: 'M_TOO_LARGE' });
type Put = { path: string; content: Record<string, unknown> };

/** A homeserver that knows each transaction once, as Synapse does. */
class Homeserver implements MatrixConnection {
  readonly puts: Put[] = [];
  readonly uploads: string[] = [];
  error: OpsError | undefined;
  mostBytes = Infinity;
  readonly #byTxn = new Map<string, string>();

  request: MatrixConnection['request'] = async (_method, path, _query, body) => {
    if (this.error) throw this.error;
    const known = this.#byTxn.get(path);
    if (known !== undefined) return { event_id: known };
    if (JSON.stringify(body).length > this.mostBytes) throw tooLarge();
    this.puts.push({ path, content: body as Record<string, unknown> });
    const id = `$e${this.puts.length}`;
    this.#byTxn.set(path, id);
    return { event_id: id };
  };

  upload = async (content: Buffer): Promise<string> => {
    if (content.length > this.mostBytes) throw tooLarge();
    this.uploads.push(content.toString());
    return 'mxc://example.org/f';
  };
}

const rooms: Array<[string, () => { room: OpsRoom; count: () => number; refuse: (error: OpsError) => void }]> = [
  [
    'the fake',
    () => {
      const room = new FakeOpsRoom();
      return { room, count: () => room.events.length, refuse: (error) => room.refuse(error) };
    },
  ],
  [
    'the real one',
    () => {
      const server = new Homeserver();
      return {
        room: new MatrixOpsRoom(server, botUser),
        count: () => server.puts.length,
        refuse: (error) => {
          server.error = error;
        },
      };
    },
  ],
];

describe.each(rooms)('a room: %s', (_, make) => {
  const none = (): undefined => undefined;
  test('a row sent twice is one event', async () => {
    const { room, count } = make();
    const first = await room.send(outboxRow(1), none, signal);
    expect(await room.send(outboxRow(1), none, signal)).toBe(first);
    expect(await room.send(outboxRow(2), none, signal)).not.toBe(first);
    expect(count()).toBe(2);
  });

  test('a reaction and a redaction go to what the row became; to what was never said they cannot', async () => {
    const { room } = make();
    const on: Outgoing = { kind: 'reaction', emoji: '✅', on: { outbox: 1 } };
    await expect(room.send(outboxRow(2, { content: on }), none, signal)).rejects.toMatchObject({ kind: 'notFound' });
    await room.send(outboxRow(3, { content: on }), () => '$e1', signal);
    await room.send(outboxRow(4, { content: { kind: 'redaction', of: { outbox: 3 } } }), () => '$e2', signal);
    await expect(
      room.send(outboxRow(5, { content: { kind: 'redaction', of: { outbox: 9 } } }), none, signal),
    ).rejects.toMatchObject({ kind: 'notFound' });
  });

  test('a limit is told with its time', async () => {
    const { room, refuse } = make();
    refuse(new OpsError('limited', 'slow', { retryAfterMs: 7 }));
    await expect(room.send(outboxRow(1), none, signal)).rejects.toMatchObject({ kind: 'limited', retryAfterMs: 7 });
  });
});

const content = (
  set: Partial<Outgoing & { kind: 'message' }> = {},
  rowSet: Parameters<typeof row>[1] = {},
  eventOf: (id: number) => string | undefined = () => undefined,
) => {
  const said = { ...message('hello'), ...set };
  return messageContent(outboxRow(1, { ...rowSet, content: said }), said, eventOf);
};

describe('the content of a message', () => {
  test('a notice that rings for nobody', () => {
    expect(content({ mark: { kind: 'reply', run: 'r1', outcome: 'done' } }).content).toEqual({
      msgtype: 'm.notice',
      body: 'hello',
      format: 'org.matrix.custom.html',
      formatted_body: 'hello',
      'm.mentions': {},
      'org.opsroom': { v: 1, kind: 'reply', run: 'r1', outcome: 'done' },
    });
  });

  test('a name in the text mentions nobody; only who is meant is', () => {
    expect(
      content({ reply: { title: ['see ', { user: idOf('bob') }, ' @bob:example.org @room'] } }).content['m.mentions'],
    ).toEqual({});
    const page = content({ rings: true, mentions: [idOf('bob')] }).content;
    expect([page['msgtype'], page['m.mentions']]).toEqual(['m.text', { user_ids: [idOf('bob')] }]);
  });

  test('in a thread, with a fallback for clients that know none', () => {
    expect(content({}, { thread: '$root', inReplyTo: '$asked' }).content['m.relates_to']).toEqual({
      rel_type: 'm.thread',
      event_id: '$root',
      is_falling_back: true,
      'm.in_reply_to': { event_id: '$asked' },
    });
    expect(content({}, { thread: '$root' }).content['m.relates_to']).toMatchObject({
      'm.in_reply_to': { event_id: '$root' },
    });
    expect(content().content).not.toHaveProperty('m.relates_to');
  });

  test('an edit is silent and says all anew', () => {
    const edit = content(
      { mentions: [idOf('bob')], rings: true },
      { replaces: 7, thread: '$root' },
      (id) => `$event${id}`,
    ).content;
    expect(edit).toMatchObject({
      body: '* hello',
      'm.mentions': {},
      'm.relates_to': { rel_type: 'm.replace', event_id: '$event7' },
    });
    expect(edit['m.new_content']).toMatchObject({ body: 'hello', 'm.mentions': { user_ids: [idOf('bob')] } });
    expect(edit['m.new_content']).not.toHaveProperty('m.relates_to');
  });

  test('an edit of what was never said is a message', () => {
    expect(content({}, { replaces: 7, thread: '$root' }).content).toMatchObject({
      body: 'hello',
      'm.relates_to': { rel_type: 'm.thread' },
    });
  });

  test('whatever is said fits into an event, also as an edit; what is cut goes along whole', () => {
    const piece = fc.constantFrom('a', '"', '\\', '\n', '<', '&', '😀', 'é', '\u202e', '\ud83d', '@room ', '\u0001');
    fc.assert(
      fc.property(
        piece,
        fc.integer({ min: 1, max: 60_000 }),
        fc.constantFrom('text', 'list', 'table', 'code', 'title'),
        fc.boolean(),
        (char, length, kind, edits) => {
          const long = char.repeat(length / char.length);
          const blocks = {
            text: [{ kind: 'text', lines: [long] }],
            list: [{ kind: 'list', items: [long] }],
            table: [{ kind: 'table', head: ['x'], rows: [[long]] }],
            code: [{ kind: 'code', text: long }],
            title: undefined,
          }[kind];
          const reply = { title: kind === 'title' ? long : 'x', blocks: blocks ?? [] } as Reply;
          const { content: event, files } = content({ reply }, edits ? { replaces: 7 } : {}, () => '$7');
          // 65,536 with what the homeserver adds: sender, room, hashes, signatures, auth events.
          expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(62_000);
          expect(JSON.stringify(event)).not.toMatch(/\\ud[89a-f]/);
          if (files.length > 0 && char !== '\n') expect(files[0]!.content.length).toBeGreaterThan(length / 4);
        },
      ),
      {
        numRuns: 60,
        // Signs that grow in JSON, just below what their bytes allow.
        examples: [
          ['"', 4200, 'text', true],
          ['\u0001', 14_000, 'code', false],
          ['\\', 9000, 'list', true],
        ],
      },
    );
  });

  test('a long answer is cut with its title and offers, and its file has a name', () => {
    const { content: event, files } = content({
      reply: {
        title: 'Users',
        blocks: [{ kind: 'text', lines: ['x'.repeat(40_000)] }],
        offers: [{ text: 'More', command: '!users --page 2' }],
      },
      mark: { kind: 'reply', command: 'backup list' },
    });
    expect(String(event['body'])).toMatch(/^Users\n/);
    expect(event['body']).toContain('The whole text is in the file below.');
    expect(event['body']).toContain('More: !users --page 2');
    expect(files).toMatchObject([{ name: 'backup-list.txt', mime: 'text/plain' }]);
    expect(files[0]?.content).toContain('x'.repeat(40_000));
  });
});

describe('sending to the homeserver', () => {
  test('paths are encoded, and each event of a row has a transaction of its own', async () => {
    const server = new Homeserver();
    const room = new MatrixOpsRoom(server, botUser);
    const reply: Reply = {
      title: 'x',
      files: [
        { name: 'a.txt', mime: 'text/plain', content: 'A' },
        { name: 'b.txt', mime: 'text/plain', content: 'B' },
      ],
    };
    const file = outboxRow(1, { content: message(reply), thread: '$root' });
    await room.send(file, () => undefined);
    await room.send(file, () => undefined);
    const base = `/_matrix/client/v3/rooms/${encodeURIComponent(opsRoom)}/send/m.room.message/t.1`;
    expect(server.puts.map(({ path }) => path)).toEqual([base, `${base}.f0`, `${base}.f1`]);
    expect(server.puts[1]?.content).toMatchObject({
      msgtype: 'm.file',
      url: 'mxc://example.org/f',
      'm.mentions': {},
      'm.relates_to': { event_id: '$root' },
    });
  });

  test('B6: too large for the homeserver: cut, with the whole text as a file, in parts when that is too large as well', async () => {
    const text = Array.from({ length: 800 }, (_, n) => `line ${n}`).join('\n');
    const server = new Homeserver();
    server.mostBytes = 6000;
    const reply: Reply = { title: 'Users', blocks: [{ kind: 'code', text }] };
    await new MatrixOpsRoom(server, botUser).send(
      outboxRow(1, { content: { ...message(reply), mentions: [idOf('bob')], rings: true } }),
      () => undefined,
    );
    expect(server.puts[0]?.content).toMatchObject({ msgtype: 'm.text', 'm.mentions': { user_ids: [idOf('bob')] } });
    expect(String(server.puts[0]?.content['body'])).toContain('The whole text is in the file below.');
    expect(server.uploads).toHaveLength(2);
    expect(server.uploads.join('')).toContain(text);
    expect(server.puts.map(({ content }) => content['filename'])).toEqual([undefined, 'answer-1.txt', 'answer-2.txt']);
    expect(new Set(server.puts.map(({ path }) => path)).size).toBe(3);
  });

  test('B6: what is still too large is refused for good', async () => {
    const server = new Homeserver();
    server.mostBytes = 10;
    const sent = new MatrixOpsRoom(server, botUser).send(outboxRow(1), () => undefined);
    await expect(sent).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a reaction that stands there already is no failure', async () => {
    const server = new Homeserver();
    server.error = new OpsError('invalid', 'refused', { cause: 'M_DUPLICATE_ANNOTATION' });
    const on: Outgoing = { kind: 'reaction', emoji: '⏳', on: { event: '$x' } };
    await expect(
      new MatrixOpsRoom(server, botUser).send(outboxRow(1, { content: on }), () => undefined),
    ).resolves.toBeTypeOf('string');
    server.error = new OpsError('invalid', 'refused', { cause: 'M_BAD_JSON' });
    await expect(
      new MatrixOpsRoom(server, botUser).send(outboxRow(1, { content: on }), () => undefined),
    ).rejects.toMatchObject({
      kind: 'invalid',
    });
  });
});

describe('errors of the homeserver in the bot’s words', () => {
  const matrix = (status: number, errcode: string, set: object = {}): OpsError =>
    translate(new MatrixError({ errcode, error: 'because', ...set }, status), 'PUT');
  test.each([
    [429, 'M_LIMIT_EXCEEDED', 'limited'],
    [401, 'M_UNKNOWN_TOKEN', 'misconfigured'],
    [403, 'M_FORBIDDEN', 'denied'],
    [404, 'M_NOT_FOUND', 'notFound'],
    [500, 'M_UNKNOWN', 'unavailable'],
    [502, 'M_UNKNOWN', 'unavailable'],
    [400, 'M_BAD_JSON', 'invalid'],
    [413, 'M_TOO_LARGE', 'invalid'],
  ])('%i %s is %s', (status, errcode, kind) => expect(matrix(status, errcode).kind).toBe(kind));

  test('how long to wait', () => {
    expect(matrix(429, 'M_LIMIT_EXCEEDED', { retry_after_ms: 1234 }).retryAfterMs).toBe(1234);
    expect(matrix(429, 'M_LIMIT_EXCEEDED').retryAfterMs).toBe(5000);
  });

  test.each([
    [429, { 'retry-after': '7' }, { kind: 'limited', retryAfterMs: 7000 }],
    [429, {}, { kind: 'limited', retryAfterMs: 5000 }],
    [503, { 'retry-after': '30' }, { kind: 'unavailable', retryAfterMs: 30_000 }],
    [502, { 'retry-after': 'Fri, 31 Dec 2027 23:59:59 GMT' }, { kind: 'unavailable', retryAfterMs: undefined }],
    [413, {}, { kind: 'invalid', cause: 'M_TOO_LARGE' }],
  ])('B6: %i of a proxy in front of it, without a code', (statusCode, headers, told) => {
    expect(translate({ statusCode, headers, body: '<html>' }, 'PUT')).toMatchObject(told);
  });

  test('no answer: reading did nothing, writing may have', () => {
    expect(translate(new Error('ECONNREFUSED'), 'GET')).toMatchObject({ kind: 'unavailable', effect: 'none' });
    expect(translate(new Error('ETIMEDOUT'), 'PUT')).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
    const ours = new OpsError('held', 'x');
    expect(translate(ours, 'GET')).toBe(ours);
  });
});
