import { beforeEach, describe, expect, test } from 'vitest';
import { type RoomEvent, Timeline, current, isEdited } from '#sandbox/prompt/timeline.ts';
import { reactionTarget } from '#sandbox/prompt/reaction-target.ts';
import { bot, edit, event, message, react } from '#test/fixtures/room-events.ts';

let timeline: Timeline;
const apply = (...events: RoomEvent[]): string[] =>
  events.flatMap((one) => timeline.apply(one)).map((change) => change.kind);
beforeEach(() => {
  timeline = new Timeline();
});

describe('the timeline', () => {
  test('an edit changes the message in place, by its sender only', () => {
    expect(
      apply(message('$1', bot, 'one'), edit('$2', bot, '$1', 'two'), edit('$3', '@mallory:x', '$1', 'evil')),
    ).toEqual(['message', 'edit']);
    const found = timeline.messages.get('$1');
    expect(found && current(found).body).toBe('two');
    expect(found && isEdited(found)).toBe(true);
  });

  test('the same event by two clients counts once', () => {
    expect(apply(message('$1', bot, 'one'), message('$1', bot, 'one'))).toEqual(['message']);
  });

  test('reactions keep who set them, and a redaction takes one back', () => {
    apply(message('$1', bot, 'one'), react('$2', bot, '$1', '✅'), react('$3', '@a:x', '$1', '✅\ufe0f'));
    const by = (): string[] => [...(timeline.messages.get('$1')?.reactions.get('✅')?.values() ?? [])];
    expect(by()).toEqual([bot, '@a:x']);
    expect(apply(event('$4', 'm.room.redaction', bot, { redacts: '$2' }))).toEqual(['unreaction']);
    expect(by()).toEqual(['@a:x']);
  });

  test('a redacted edit falls back to what stood before, a redacted message is removed and no longer edited', () => {
    apply(
      message('$1', bot, 'one'),
      edit('$2', bot, '$1', 'two'),
      event('$3', 'm.room.redaction', bot, { redacts: '$2' }),
    );
    const found = timeline.messages.get('$1');
    expect(found && current(found).body).toBe('one');
    expect(apply(event('$4', 'm.room.redaction', bot, { redacts: '$1' }), edit('$5', bot, '$1', 'again'))).toEqual([
      'removal',
    ]);
    expect(found?.redacted).toBe(true);
  });

  test('an event from history brings its newest edit with it', () => {
    const old = {
      ...message('$1', bot, 'one'),
      unsigned: { 'm.relations': { 'm.replace': edit('$9', bot, '$1', 'nine') } },
    };
    expect(apply(old)).toEqual(['message', 'edit']);
  });

  test('an edit of what is older than the view stands for the message', () => {
    expect(apply(edit('$2', bot, '$1', 'two', { kind: 'reply', outcome: 'done' }))).toEqual(['message']);
    const found = timeline.messages.get('$1');
    expect(found && current(found).mark?.outcome).toBe('done');
  });

  test('a thread reply knows its root; a mark is read from the new content of an edit', () => {
    apply(
      message('$1', '@a:x', '!x'),
      message('$2', bot, 'pong', { thread: '$1', mark: { kind: 'reply', outcome: 'waiting' } }),
    );
    apply(edit('$3', bot, '$2', 'pong!', { kind: 'reply', outcome: 'done' }));
    const reply = timeline.messages.get('$2');
    expect(reply?.root).toBe('$1');
    expect(reply && current(reply).mark).toEqual({ kind: 'reply', outcome: 'done' });
  });

  test('events of another shape than expected are survived', () => {
    expect(
      apply(
        event('$1', 'm.room.message', bot, {}),
        event('$2', 'm.reaction', bot, { 'm.relates_to': 7 }),
        event('$3', 'm.room.message', bot, { body: 5, 'm.mentions': { user_ids: 'x' }, 'org.opsroom': 'x' }),
        event('$4', 'm.room.redaction', bot, {}),
      ),
    ).toEqual(['message', 'message']);
  });
});

describe('what a reaction goes on', () => {
  const target = (emoji: string, on?: string): string | undefined => reactionTarget(timeline, bot, emoji, on)?.id;

  test('✅ the last open question, 👍 the last page, another emoji the last message', () => {
    apply(
      message('$page', bot, 'down!', { mark: { kind: 'page', incident: 'a7' } }),
      message('$p1', bot, 'sure?', { mark: { kind: 'prompt', code: 'aaaa', run: 'r1' } }),
      message('$p2', bot, 'sure?', { mark: { kind: 'prompt', code: 'bbbb', run: 'r2' } }),
      edit('$e', bot, '$p2', 'sure? expired', { kind: 'prompt', code: 'bbbb', run: 'r2', outcome: 'refused' }),
      message('$last', bot, 'hello'),
      message('$human', '@a:x', 'hello'),
    );
    expect(target('✅')).toBe('$p1');
    expect(target('👍')).toBe('$page');
    expect(target('🎉')).toBe('$last');
    expect([target('🎉', 'a7'), target('✅', 'r2'), target('✅', 'aaaa'), target('✅', 'r9')]).toEqual([
      '$page',
      '$p2',
      '$p1',
      undefined,
    ]);
  });

  test('nothing when the bot has asked nothing', () => {
    apply(message('$1', '@a:x', 'hello'));
    expect([target('✅'), target('👍')]).toEqual([undefined, undefined]);
  });

  test('a page that was edited to something else is still what 👍 means', () => {
    apply(
      message('$page', bot, 'down!', { mark: { kind: 'page' } }),
      edit('$e', bot, '$page', 'still down', { kind: 'notice' }),
      message('$n', bot, 'hello'),
    );
    expect(target('👍')).toBe('$page');
  });
});
