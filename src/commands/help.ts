import type { CommandInfo } from '#domain/bot.ts';
import { OpsError } from '#domain/errors.ts';
import type { Reply } from '#domain/messages.ts';
import { Words, z } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

const confirmations = {
  none: 'not asked for',
  caller: 'yours: ✅ or !approve',
  'two-person': 'a second person’s',
};
const undoable = { fully: 'yes, fully', partly: 'partly', none: 'no' };

export default defineQuery({
  summary: 'List the commands, or explain one.',
  examples: ['', 'disable', 'backup now'],
  args: z.strictObject({ command: Words.optional() }),
  positional: ['command'],
  needs: ['catalogue'],
  answer: ({ command }, { catalogue }): CommandInfo[] | CommandInfo => {
    if (command === undefined) return catalogue.list();
    const name = command.toLowerCase().replace(/^!/, '');
    const info = catalogue.find(name);
    if (info) return info;
    const children = catalogue.list().filter((known) => known.name.startsWith(`${name} `));
    if (children.length > 0) return children;
    const near = catalogue.near(name);
    throw new OpsError('notFound', `There is no command "${name}".`, {
      hint: near.length > 0 ? `Did you mean ${near.join(', ')}?` : '!help lists all.',
    });
  },
  view: (found, _args, { bot }) => (Array.isArray(found) ? overview(found, bot.prefix) : page(found, bot.prefix)),
});

function overview(commands: CommandInfo[], prefix: string): Reply {
  const row = (info: CommandInfo) => [
    [{ code: prefix + info.name }],
    info.off ? `${info.summary} (off: ${info.off})` : info.summary,
    info.role ?? 'anyone',
  ];
  const group = (summary: string, list: CommandInfo[]) => ({
    kind: 'details' as const,
    summary: `${summary}: ${list.map((info) => info.name).join(', ')}`,
    blocks: [{ kind: 'table' as const, head: ['command', 'what', 'role'], rows: list.map(row) }],
  });
  const example = commands.find((info) => info.name === 'disable') ?? commands[0];
  return {
    title: [`${commands.length} commands; `, { code: `${prefix}help ${example?.name ?? ''}` }, ' explains one.'],
    blocks: [
      group(
        'Look and answer',
        commands.filter((info) => !info.change),
      ),
      group(
        'Change',
        commands.filter((info) => info.change),
      ),
    ],
  };
}

function page(info: CommandInfo, prefix: string): Reply {
  const items = info.args.map((arg) => [
    { code: arg.flag ? `--${arg.name}` : arg.name },
    `: ${arg.summary}${arg.required || arg.flag ? '' : ' (may be left out)'}`,
  ]);
  // Every change knows it, so no command declares it.
  if (info.change) items.push([{ code: '--dry-run' }, ': shows what would happen, and changes nothing']);
  const facts = [
    `role: ${info.role ?? 'anyone in the room'}`,
    ...(info.change
      ? [`confirmation: ${confirmations[info.confirm]}`, `can be undone: ${undoable[info.undo ?? 'none']}`]
      : []),
    ...(info.off ? [`off here: needs ${info.off}`] : []),
  ];
  return {
    title: [{ code: prefix + info.usage }, `: ${info.summary}`],
    blocks: [
      { kind: 'list', items: [...items, ...facts] },
      { kind: 'code', text: info.examples.map((example) => prefix + example).join('\n') },
    ],
  };
}
