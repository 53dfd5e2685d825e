/** What can be done with a part of the sandbox, to see what the bot makes of it. */
export const partActs = ['stop', 'start', 'ready'] as const;
export type PartAct = (typeof partActs)[number];
export const partNames = ['synapse', 'postgres', 'livekit'];

/** What one line at the prompt means. */
export type Typed =
  | { kind: 'say' | 'thread'; text: string }
  | { kind: 'react'; emoji: string; on: string | undefined }
  | { kind: 'as'; name: string }
  | { kind: 'part'; act: PartAct; part: string }
  | { kind: 'help' | 'who' | 'quit' | 'nothing' }
  | { kind: 'wrong'; why: string };

const emojiOnly =
  /^(?:\p{RI}{2}|\p{Extended_Pictographic}[\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]*(?:\u200d\p{Extended_Pictographic}[\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]*)*)$/u;

export const helpText = [
  'What you type is sent to the room; the bot listens for lines that begin with "!": try !help',
  "  ✅  ❌           answer the bot's last question (any emoji alone on a line is a reaction)",
  "  /react 👍 [id]   react to the bot's last message, or to that of a run, incident or code: /react 👍 a17",
  "  /thread TEXT     reply in the thread of the bot's last message",
  '  /as NAME         type as somebody else from now on',
  '  /stop livekit    stop a part of the sandbox (synapse, postgres, livekit); /start livekit brings it back',
  '  /ready livekit   wait until a part is there: the first start has to build it',
  '  /who             who you can be',
  '  /quit            end (Ctrl-C too)',
  '  //text           send a line that begins with a slash',
].join('\n');

/** `people` are the names that `/as` takes. Never throws: a wrong line is said to be wrong, and isn't sent. */
export function parseTyped(line: string, people: readonly string[]): Typed {
  const text = line.trim();
  if (text === '') return { kind: 'nothing' };
  if (emojiOnly.test(text)) return { kind: 'react', emoji: text, on: undefined };
  if (!text.startsWith('/')) return { kind: 'say', text };
  if (text.startsWith('//')) return { kind: 'say', text: text.slice(1) };
  const [, word = '', rest = ''] = /^\/(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  switch (word) {
    case 'as': {
      const name = rest.replace(/^@/, '').replace(/:.*$/, '');
      if (people.includes(name)) return { kind: 'as', name };
      return { kind: 'wrong', why: `/as takes one of: ${people.join(', ')}.` };
    }
    case 'react': {
      const [emoji = '', on, ...more] = rest.split(/\s+/);
      if (emoji === '' || more.length > 0) return { kind: 'wrong', why: '/react takes an emoji: /react 👍' };
      return { kind: 'react', emoji, on };
    }
    case 'thread':
      return rest === ''
        ? { kind: 'wrong', why: '/thread takes the text of the reply.' }
        : { kind: 'thread', text: rest };
    case 'stop':
    case 'start':
    case 'ready':
      if (partNames.includes(rest)) return { kind: 'part', act: word, part: rest };
      return { kind: 'wrong', why: `/${word} takes one of: ${partNames.join(', ')}.` };
    case 'help':
    case 'who':
    case 'quit':
      return rest === '' ? { kind: word } : { kind: 'wrong', why: `/${word} takes nothing after it.` };
    default:
      return { kind: 'wrong', why: `/${word} is no command of the prompt; /help lists them. To send it: /${text}` };
  }
}
