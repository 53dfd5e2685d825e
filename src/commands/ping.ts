import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Say that the bot is there.',
  examples: [''],
  args: none,
  answer: () => 'pong',
  view: (pong) => ({ title: pong }),
});
