import { ago } from '#domain/duration.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show which version runs, and since when.',
  examples: [''],
  args: none,
  answer: (_args, { bot, clock }) => ({ version: bot.version, started: ago(bot.startedAt, clock.now()) }),
  view: ({ version, started }) => ({ title: `Opsroom ${version}, started ${started}.` }),
});
