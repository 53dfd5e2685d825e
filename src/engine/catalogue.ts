import type { CommandInfo, Catalogue as CataloguePort } from '#domain/bot.ts';
import type { CommandRule } from '#domain/policy.ts';
import { argumentWords } from './arg-words.ts';
import { argMeta, type ArgMeta, z } from './args.ts';
import type { Command } from './command.ts';
import { distance } from './words.ts';

export type Argument = ArgMeta & { name: string; required: boolean; positional: boolean };

/** Unwraps `optional` and `default` down to the schema that says how to read it. */
function metaOf(schema: z.core.$ZodType): ArgMeta | undefined {
  const meta = argMeta.get(schema);
  if (meta) return meta;
  const inner = (schema._zod.def as { innerType?: z.core.$ZodType }).innerType;
  return inner && metaOf(inner);
}

/** The arguments of a command, positional ones first. Throws when a declaration is wrong. */
export function argumentsOf(command: Command): Argument[] {
  const positional = command.positional ?? [];
  const all = Object.entries(command.args.shape).map(([name, schema]): Argument => {
    const meta = metaOf(schema);
    if (!meta) throw new Error(`argument "${name}" is not made of the types of #engine/args.ts`);
    const required = !z.safeParse(schema as z.ZodType, undefined).success;
    return { ...meta, name, required, positional: positional.includes(name) };
  });
  for (const name of positional) if (!all.some((a) => a.name === name)) throw new Error(`no argument "${name}"`);
  const ordered = positional.map((name) => all.find((a) => a.name === name)!);
  const open = ordered.findIndex((a) => a.kind === 'rest' || a.kind === 'words');
  if (open !== -1 && open !== ordered.length - 1)
    throw new Error('only the last argument can take the rest of the line');
  return [...ordered, ...all.filter((a) => !a.positional)];
}

const labelOf = (argument: Argument): string => {
  const name = argument.positional
    ? argument.name
    : `--${argument.name}${argument.kind === 'flag' ? '' : ` ${argument.label}`}`;
  const shown = argument.positional && argument.kind === 'user' && argument.name === 'user' ? '@user' : name;
  return argument.required ? (argument.positional ? `<${shown}>`.replace('<@user>', '@user') : shown) : `[${shown}]`;
};

/** What can be typed, by name. Pure data; the files are found by the composition root. */
export class Catalogue implements CataloguePort {
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #missing: (command: Command) => string | undefined;

  /** `missing` names the part that is off when the command needs it. Throws when a declaration can't work. */
  constructor(
    commands: ReadonlyMap<string, Command>,
    missing: (command: Command) => string | undefined = () => undefined,
  ) {
    this.#commands = commands;
    this.#missing = missing;
    for (const [name, command] of commands) {
      try {
        argumentsOf(command);
        if (command.examples.length === 0) throw new Error('no example');
      } catch (error) {
        throw new Error(`!${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
      const parent = commands.get(name.split(' ').slice(0, -1).join(' '));
      const first = parent && argumentsOf(parent)[0];
      if (first?.positional && ['word', 'words', 'rest', 'role', 'number'].includes(first.kind)) {
        throw new Error(`!${name} would also parse as the first argument of its parent`);
      }
    }
  }

  command(name: string): Command | undefined {
    return this.#commands.get(name);
  }

  names(): string[] {
    return [...this.#commands.keys()].sort();
  }

  ruleOf(name: string, command: Command): CommandRule {
    return {
      name,
      role: command.role,
      change: command.kind === 'change',
      confirm: command.kind === 'change' ? command.confirm : 'none',
      runsPaused: command.runsPaused ?? command.kind === 'query',
    };
  }

  list(): CommandInfo[] {
    return this.names().map((name) => this.find(name)!);
  }

  find(name: string): CommandInfo | undefined {
    const command = this.#commands.get(name);
    if (!command) return undefined;
    const change = command.kind === 'change';
    const args = argumentsOf(command);
    const flags = args.filter((a) => !a.positional);
    const shown = [...flags, ...args.filter((a) => a.positional)].map(labelOf);
    return {
      name,
      summary: command.summary,
      usage: [name, ...(change ? ['[--dry-run]'] : []), ...shown].join(' '),
      args: args.map(({ name: arg, kind, required, positional }) => ({
        name: arg,
        kind,
        required,
        flag: !positional,
        summary: argumentWords(kind, command.args.shape[arg] as z.ZodType),
      })),
      examples: command.examples.map((example) => `${name} ${example}`.trim()),
      role: command.role,
      change,
      confirm: change ? command.confirm : 'none',
      undo: change ? command.undo : undefined,
      off: this.#missing(command),
    };
  }

  near(name: string): string[] {
    const allowed = (known: string): number => Math.max(1, Math.floor(Math.min(known.length, name.length) / 3));
    return (
      this.names()
        // Words of very different lengths are never near; a stranger's endless word must cost nothing.
        .filter((known) => Math.abs(known.length - name.length) <= allowed(known))
        .map((known) => ({ known, far: distance(name.toLowerCase(), known) }))
        .filter(({ known, far }) => far <= allowed(known))
        .sort((a, b) => a.far - b.far)
        .map(({ known }) => known)
    );
  }
}
