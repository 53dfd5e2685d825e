import { describe, expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { capturesOf } from '#sandbox/prompt/captures.ts';
import { type Expectation, fitsExpectation, parseExpectation } from '#sandbox/prompt/expectation.ts';
import { type Heard, Hearing } from '#sandbox/prompt/hearing.ts';
import { parseScript } from '#sandbox/prompt/script.ts';
import { Timeline } from '#sandbox/prompt/timeline.ts';
import { parseTyped } from '#sandbox/prompt/typed.ts';
import { bot, edit, message, react } from '#test/fixtures/room-events.ts';

const people = ['alice', 'bob'];
const script = (content: string, name = 'tour.txt') => parseScript(name, content, people);

function refusal(content: string, name?: string): string {
  try {
    script(content, name);
  } catch (error) {
    if (error instanceof OpsError && error.kind === 'invalid') return error.message;
    throw error;
  }
  return 'taken';
}

describe('a script', () => {
  test('lines are typed with and without the mark; comments and blanks do not count', () => {
    const { steps } = script('# hello\n> !ping\n\n!health\n/as bob\n✅\n< pong\n>! hi\n> #1 fan\n');
    expect(steps.map(({ line, kind, source }) => `${line} ${kind} ${source}`)).toEqual([
      '2 type > !ping',
      '4 type !health',
      '5 type /as bob',
      '6 type ✅',
      '7 expect < pong',
      '8 type >! hi',
      '9 type > #1 fan',
    ]);
    expect(steps.filter((step) => step.kind === 'type').map((step) => [step.text, step.refused])).toEqual([
      ['!ping', false],
      ['!health', false],
      ['/as bob', false],
      ['✅', false],
      ['hi', true],
      ['#1 fan', false],
    ]);
  });

  test.each([
    ['/as carol', 'tour.txt:1: /as takes one of: alice, bob.'],
    ['> !ping\n/frobnicate', 'tour.txt:2: /frobnicate is no command'],
    ['/quit', 'tour.txt:1: there is nothing here that could be typed'],
    ['>', 'tour.txt:1: there is nothing here that could be typed'],
    ['$ npm start', 'tour.txt:1: a script types into the room'],
    ['<', 'tour.txt:1: it waits for nothing'],
    ['<finished', 'tour.txt:1: "<finished" is none of'],
    ['< outcome:finished', 'tour.txt:1: outcome:finished is none of'],
    ['< /(/', 'tour.txt:1: Invalid regular expression'],
    ['!approve {{cod}}', 'tour.txt:1: {{cod}} is not known here'],
    ['!x {{took}}\n< /(?<took>\\d+)/', 'tour.txt:1: {{took}} is not known here'],
    ['# only words', 'tour.txt has no line to play'],
  ])('%j is refused with its line before anything is played', (content, why) => {
    expect(refusal(content)).toContain(why);
  });

  test('a named group of an earlier wait may be used', () => {
    expect(refusal('> a\n< /(?<took>\\d+)/\n> !x {{took}} {{code}} {{run}} {{incident}} {{backup}}')).toBe('taken');
  });

  test('of a Markdown file only the blocks of the tour are played, with the lines of the file', () => {
    const readme =
      '# Hi\n> quote\n```sh\n$ npm start\n```\n```console opsroom-tour\n> !ping\n< pong\n```\n~~~~opsroom-tour\n✅\n```\n~~~~\n';
    expect(refusal(readme, 'README.md')).toBe('taken');
    const { steps } = script(readme, 'README.md');
    expect(steps.map(({ line, source }) => `${line} ${source}`)).toEqual(['7 > !ping', '8 < pong', '11 ✅', '12 ```']);
  });

  test('a Markdown file without a tour, or with one that never ends, is refused', () => {
    expect(refusal('# Hi\n```sh\nls\n```\n', 'README.md')).toContain('no ```opsroom-tour block');
    expect(refusal('```opsroom-tour\n> !ping\n', 'README.md')).toContain('README.md:1: this block is never closed');
  });
});

/** What is heard of these events. */
function hear(...events: Parameters<Timeline['apply']>[0][]): Heard[] {
  const timeline = new Timeline();
  const hearing = new Hearing(bot);
  for (const event of events) for (const change of timeline.apply(event)) hearing.take(change);
  return hearing.heard;
}

const parsed = (line: string): Expectation => {
  const expectation = parseExpectation(line);
  if ('why' in expectation) throw new Error(expectation.why);
  return expectation;
};
const met = (line: string, heard: Heard[], captures: Record<string, string> = {}): boolean =>
  heard.some((one) => fitsExpectation(one, parsed(line), captures) !== undefined);

describe('a wait', () => {
  const heard = hear(
    message('$0', '@alice:opsroom.test', '!disable mallory'),
    message('$1', bot, 'Disable **@mallory**?\nNow', {
      html: 'Disable <code>@mallory</code>?<br>Now',
      mark: { kind: 'prompt', command: 'backup now', run: 'r1', code: 'a1b2', outcome: 'waiting' },
    }),
    edit('$2', bot, '$1', 'Done in 12 s', { kind: 'prompt', command: 'backup now', run: 'r1', outcome: 'done' }),
    react('$3', bot, '$0', '✅'),
  );

  test.each([
    ['< Disable @mallory? Now', true],
    ['< **@mallory**', true],
    ['< Disable @alice', false],
    ['< !disable mallory', false],
    ['< Done in', true],
    ['< /in \\d+ s$/m', true],
    ['< /DONE/', false],
    ['< /DONE/i', true],
    ['<done', true],
    ['<prompt Disable', true],
    ['<done Disable', false],
    ['<reply', false],
    ['< kind:prompt outcome:waiting', true],
    ['< outcome:failed|done Done', true],
    ['< command:"backup now" run:r1', true],
    ['< run:{{run}}', true],
    ['< outcome:done code:a1b2', false],
    ['< reaction:✅', true],
    ['< reaction:❌', false],
  ])('%j is met: %j', (line, expected) => {
    expect(met(line, heard, { run: 'r1' })).toBe(expected);
  });

  test('a capture in a regex is taken literally', () => {
    const dotted = hear(message('$1', bot, 'set aXb'));
    expect(met('< /set {{x}}/', dotted, { x: 'a.b' })).toBe(false);
    expect(met('< /set {{x}}/', hear(message('$1', bot, 'set a.b')), { x: 'a.b' })).toBe(true);
  });

  test('deadlines: 30 s, 2 s for silence, or as written', () => {
    expect(
      ['< x', '<! x', '<90s x', '<2m x', '<!500ms x'].map((line) => parsed(line)).map((e) => [e.none, e.withinMs]),
    ).toEqual([
      [false, 30_000],
      [true, 2000],
      [false, 90_000],
      [false, 120_000],
      [true, 500],
    ]);
  });

  test('named groups come out', () => {
    expect(heard.map((one) => fitsExpectation(one, parsed('< /in (?<took>\\d+) s/'), {})).find(Boolean)).toEqual({
      took: '12',
    });
  });

  test('it is met by what comes while it waits, and gives up at its deadline or when stopped', async () => {
    const timeline = new Timeline();
    const hearing = new Hearing(bot);
    const say = (id: string, body: string): void => {
      for (const change of timeline.apply(message(id, bot, body))) hearing.take(change);
    };
    const { signal } = new AbortController();
    const fits = (one: Heard): boolean => one.text.includes('pong');
    const waiting = hearing.find(0, fits, 5000, signal);
    say('$1', 'working');
    say('$2', 'pong');
    expect((await waiting)?.message.id).toBe('$2');
    expect(await hearing.find(2, fits, 20, signal)).toBeUndefined();
    const stop = new AbortController();
    const stopped = hearing.find(2, fits, 60_000, stop.signal);
    stop.abort();
    expect(await stopped).toBeUndefined();
  });
});

describe('captures', () => {
  test('the code of the newest question, and the newest run, incident and set', () => {
    const heard = hear(
      message('$1', bot, 'sure?', { mark: { kind: 'prompt', run: 'r1', code: 'aaaa' } }),
      message('$2', bot, 'sure?', { mark: { kind: 'prompt', run: 'r2', code: 'bbbb' } }),
      edit('$3', bot, '$1', 'expired', { kind: 'prompt', run: 'r1', code: 'aaaa', outcome: 'refused' }),
      message('$4', bot, 'set 20260801T020000Z-000231 made', { mark: { kind: 'reply', incident: 'a7' } }),
    );
    expect(capturesOf(heard)).toEqual({ code: 'bbbb', run: 'r2', incident: 'a7', backup: '20260801T020000Z-000231' });
    expect(capturesOf([])).toEqual({});
  });
});

describe('a typed line', () => {
  test.each([
    ['!ping', { kind: 'say', text: '!ping' }],
    ['  hello  ', { kind: 'say', text: 'hello' }],
    ['✅', { kind: 'react', emoji: '✅', on: undefined }],
    ['⚠️', { kind: 'react', emoji: '⚠️', on: undefined }],
    ['👍🏽', { kind: 'react', emoji: '👍🏽', on: undefined }],
    ['1', { kind: 'say', text: '1' }],
    ['✅ yes', { kind: 'say', text: '✅ yes' }],
    ['/react 👍', { kind: 'react', emoji: '👍', on: undefined }],
    ['/react 👍 a17', { kind: 'react', emoji: '👍', on: 'a17' }],
    ['/as bob', { kind: 'as', name: 'bob' }],
    ['/as @bob:opsroom.test', { kind: 'as', name: 'bob' }],
    ['/thread on it', { kind: 'thread', text: 'on it' }],
    ['//etc is full', { kind: 'say', text: '/etc is full' }],
    ['/help', { kind: 'help' }],
    ['', { kind: 'nothing' }],
  ])('%j', (line, expected) => {
    expect(parseTyped(line, people)).toEqual(expected);
  });

  test.each(['/as', '/as mallory', '/react', '/react 👍 a b', '/thread', '/etc/passwd', '/quit now'])(
    '%j is wrong, and not sent',
    (line) => {
      expect(parseTyped(line, people).kind).toBe('wrong');
    },
  );
});
