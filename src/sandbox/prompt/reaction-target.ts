import { type Message, type Timeline, current } from './timeline.ts';

const answers = ['✅', '❌'];
const incidentEmoji = ['👍', '🔕'];

const ever = (message: Message, kind: string): boolean =>
  message.versions.some((version) => version.mark?.kind === kind);
const isOpen = (message: Message): boolean => (current(message).mark?.outcome ?? 'waiting') === 'waiting';

/**
 * The bot's message that a reaction means: ✅ and ❌ its last open question, 👍 and 🔕 its last page or incident, any
 * other (and where there is none of those) its last message. `on` names a run, incident or code instead.
 */
export function reactionTarget(timeline: Timeline, bot: string, emoji: string, on?: string): Message | undefined {
  const said = [...timeline.messages.values()].filter((message) => message.sender === bot && !message.redacted);
  if (on !== undefined) {
    return said.findLast((message) => {
      const mark = current(message).mark;
      return mark !== undefined && [mark.run, mark.incident, mark.code].includes(on);
    });
  }
  if (answers.includes(emoji)) {
    const prompts = said.filter((message) => ever(message, 'prompt'));
    // A bot without marks sets the two answers itself on what it asks.
    return prompts.findLast(isOpen) ?? prompts.at(-1) ?? said.findLast((message) => message.reactions.has(emoji));
  }
  if (incidentEmoji.includes(emoji)) {
    const incident = (message: Message): boolean =>
      message.root === undefined && current(message).mark?.incident !== undefined;
    return said.findLast((message) => ever(message, 'page')) ?? said.findLast(incident) ?? said.at(-1);
  }
  return said.at(-1);
}
