import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Screen } from '#sandbox/prompt/screen.ts';
import { type RoomEvent, Timeline } from '#sandbox/prompt/timeline.ts';
import { bot, edit, event, message, react } from '#test/fixtures/room-events.ts';
import { TinyTerminal } from '#test/fixtures/tiny-terminal.ts';

const alice = '@alice:opsroom.test';
const bob = '@bob:opsroom.test';
const names = new Map([
  [alice, 'alice'],
  [bob, 'bob'],
]);

function room(height?: number, me = alice) {
  const timeline = new Timeline();
  const terminal = new TinyTerminal(60, height ?? Infinity);
  const size = height === undefined ? undefined : { columns: 60, rows: height };
  const view = () => ({ me, bot, names, timeOf: () => '10:00' });
  const screen = new Screen(view, size, (id) => timeline.messages.get(id));
  const play = (...events: RoomEvent[]): string => {
    for (const one of events) for (const change of timeline.apply(one)) terminal.write(screen.show(change));
    return terminal.text;
  };
  return { play, screen, terminal };
}

describe('on a terminal', () => {
  test('threads, edits and reactions appear in place', () => {
    const { play } = room(40);
    const shown = play(
      message('$1', alice, '!ping'),
      message('$2', bob, 'morning'),
      message('$3', bot, 'working', { thread: '$1' }),
      react('$4', bot, '$1', '✅'),
      edit('$5', bot, '$3', 'pong\nin 12 ms'),
    );
    expect(shown).toBe(
      [
        'alice 10:00  !ping',
        '  ✅ opsroom',
        '  │ opsroom 10:00  ✎',
        '  │   pong',
        '  │   in 12 ms',
        'bob 10:00  morning',
      ].join('\n'),
    );
  });

  test('a page for who types stands out and rings once; for another it does not', () => {
    const page = message('$1', bot, 'Disk full', { mentions: [alice], mark: { kind: 'page' } });
    const mine = room(40);
    expect(mine.play(page, react('$2', alice, '$1', '👍'))).toContain('🔔 PAGE for alice');
    expect(mine.terminal.bells).toBe(1);
    const his = room(40, bob);
    expect(his.play(page)).not.toContain('PAGE');
    expect(his.terminal.bells).toBe(0);
  });

  test('a notice that mentions me does not ring: it would notify nobody', () => {
    const { play, terminal } = room(40);
    expect(play(message('$1', bot, 'x', { mentions: [alice], msgtype: 'm.notice' }))).not.toContain('PAGE');
    expect(terminal.bells).toBe(0);
  });

  test('what has scrolled away is told again, with a word on its thread', () => {
    const { play } = room(12);
    const many = Array.from({ length: 20 }, (_, at) => message(`$m${at}`, bob, `line ${at}`));
    const shown = play(message('$1', alice, '!backup now'), ...many, message('$2', bot, 'done', { thread: '$1' }));
    expect(shown.split('\n').slice(-2)).toEqual(['↳ alice: !backup now', '  │ opsroom 10:00  done']);
    expect(
      play(edit('$3', bob, '$m0', 'changed'))
        .split('\n')
        .at(-1),
    ).toBe('bob 10:00  ✎ changed');
  });

  test('a notice of the prompt, and who comes and goes', () => {
    const { play, screen, terminal } = room(40);
    terminal.write(screen.note('LiveKit is ready'));
    const left = event('$1', 'm.room.member', alice, { membership: 'leave' });
    expect(play({ ...left, state_key: bob }, { ...left, event_id: '$2', state_key: alice })).toBe(
      'LiveKit is ready\n· alice removed bob\n· alice left',
    );
  });

  test('whatever happens, it never draws above the screen, and the last thing said is shown as it is', () => {
    const id = fc.integer({ min: 0, max: 9 });
    const size = fc.integer({ min: 1, max: 12 });
    const step = fc.record({ kind: fc.constantFrom('message', 'reply', 'edit', 'react'), on: id, size });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), fc.integer({ min: 3, max: 30 }), (steps, height) => {
        const { play } = room(height);
        const missing: string[] = [];
        for (const [at, { kind, on, size: lines }] of steps.entries()) {
          const body = Array.from({ length: lines }, (_, line) => `w${at}.${line};`).join('\n');
          if (kind === 'message') play(message(`$m${at}`, bot, body));
          else if (kind === 'reply') play(message(`$t${at}`, bot, body, { thread: `$${on}` }));
          else if (kind === 'edit') play(edit(`$e${at}`, bot, `$${on}`, body));
          else play(react(`$r${at}`, alice, `$${on}`, '👍'));
          if (kind !== 'react' && !play().includes(`w${at}.${lines - 1};`)) missing.push(`w${at}`);
        }
        expect(missing).toEqual([]);
      }),
    );
  });
});

describe('where the output is no terminal', () => {
  test('nothing is drawn over: edits and reactions are told again', () => {
    const { play } = room();
    const shown = play(
      message('$1', alice, '!ping'),
      message('$2', bot, 'working', { thread: '$1' }),
      message('$3', bob, 'morning'),
      react('$4', bot, '$1', '✅'),
      edit('$5', bot, '$2', 'pong'),
    );
    expect(shown).toBe(
      [
        'alice 10:00  !ping',
        '  │ opsroom 10:00  working',
        'bob 10:00  morning',
        '  ✅ opsroom, on: !ping',
        '↳ alice: !ping',
        '  │ opsroom 10:00  ✎ pong',
      ].join('\n'),
    );
  });
});
