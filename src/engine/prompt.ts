import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import type { Role } from '#domain/operators.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { bindingOf, codeFor, mustType, type Need, type Prompt } from '#domain/prompts.ts';
import { type Run, runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import { factsOf, type House } from './house.ts';
import { type Address, react, say } from './speak.ts';

export const remindAfterMs = 180_000;
/** A code isn't given again for this long: what was meant for an old question can't answer a new one. */
const codeRestMs = 24 * 3_600_000;
const mostNames = 4;

/** `@a`, `@a or @b`, `@a, @b or 3 more`. */
export function anyOf(names: readonly string[]): string {
  const shown = names.length > mostNames ? [...names.slice(0, mostNames), `${names.length - mostNames} more`] : names;
  return shown.length < 2 ? (shown[0] ?? 'nobody') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`;
}

type Words = {
  prompt: Pick<Prompt, 'code' | 'need' | 'role' | 'expiresAt' | 'atEnd'>;
  run: Run;
  prefix: string;
  timezone: string;
  now: EpochMs;
  approvers: readonly UserId[];
  /** A reaction would be no yes. */
  typed: boolean;
};

/** Who may say yes, until when and how: the last lines of a question. */
function howToAnswer({ prompt, run, prefix, timezone, now, approvers, typed }: Words): Line[] {
  const yes = { code: `${prefix}approve ${prompt.code}` };
  const no = { code: `${prefix}deny ${prompt.code}` };
  const left = formatDuration(prompt.expiresAt - now);
  const until = `until ${formatMoment(prompt.expiresAt, timezone, now)} (${left})`;
  const end = ` (${runName(run.id)})`;
  if (prompt.atEnd === 'proceed') {
    return [
      `Nobody else has the role ${prompt.role}, so there is no second person to ask: this waits ${left}, then it runs.`,
      [`Anybody here can stop it ${until}: react `, { bold: '❌' }, ', or type ', no, `.${end}`],
    ];
  }
  const who =
    prompt.need === 'caller'
      ? `Only ${run.actor} can answer, within ${left}`
      : `A second person has to answer, not ${run.actor}: ${anyOf(approvers)}, ${until}`;
  if (!typed) {
    return [[`${who}: react `, { bold: '✅' }, ' or ', { bold: '❌' }, ', or type ', yes, ' or ', no, `.${end}`]];
  }
  return [
    [`${who}: type `, yes, ' or ', no, `.${end}`],
    'A ✅ is not enough here: reactions are not encrypted, so the homeserver could forge one.',
  ];
}

/** The question as it stands in the room: what would happen, who may say yes, until when, and the typed twin. */
export const promptReply = (described: Reply, words: Words): Reply => ({
  ...described,
  blocks: [...(described.blocks ?? []), { kind: 'text', lines: howToAnswer(words) }],
});

/** A question goes to somebody by name; the row rings for them. */
export function reminder(house: House, address: Address, run: Run, prompt: Prompt, to: UserId[]): NewOutboxRow {
  const { prefix } = house.settings;
  const { timezone } = house.ports(run.site).bot;
  const until = formatMoment(prompt.expiresAt, timezone, address.at);
  const pills = to.flatMap((user) => [{ user }, ' ']);
  const title: Line =
    prompt.atEnd === 'proceed'
      ? [
          ...pills,
          `${runTitle(run)} runs at ${until}, unless somebody says no: `,
          { code: `${prefix}deny ${prompt.code}` },
        ]
      : [
          ...pills,
          `${run.actor} asks for a second person for ${runTitle(run)}, until ${until}: `,
          { code: `${prefix}approve ${prompt.code}` },
          ' or ',
          { code: `${prefix}deny ${prompt.code}` },
        ];
  const mark = {
    kind: 'prompt' as const,
    command: run.command,
    run: runName(run.id),
    outcome: 'waiting' as const,
    code: prompt.code,
  };
  return say(house.ledger, address, { title }, mark, { rings: true, mentions: to });
}

/** Everybody in the room but the bot and the caller. */
export const everybody = (house: House, run: Run): UserId[] => {
  const { bot } = house.ports(run.site);
  const joined = house.ledger.roomFacts(bot.opsRoom)?.joined ?? [];
  return joined.filter((user) => user !== bot.user && user !== run.actor);
};

/** The prompt's row and what it says, ready for the Change that makes the run wait. */
export function openPrompt(input: {
  house: House;
  run: Run;
  address: Address;
  described: Reply;
  need: Need;
  role: Role;
  approvers: UserId[];
  aloneMs?: number | undefined;
}): { prompt: Prompt; outbox: NewOutboxRow[] } {
  const { house, run, address, need, role, approvers, aloneMs } = input;
  const { ledger, settings } = house;
  const { bot } = house.ports(run.site);
  const now = address.at;
  const expiresAt = now + (aloneMs ?? (need === 'caller' ? settings.callerMs : settings.twoPersonMs));
  const code = codeFor(bindingOf(run, expiresAt), (taken) => {
    const known = ledger.prompt({ code: taken });
    return known !== undefined && (known.state === 'open' || known.expiresAt > now - codeRestMs);
  });
  const command = house.catalogue.command(run.command);
  const undo = command?.kind === 'change' ? command.undo : 'none';
  const typed = mustType({ encrypted: factsOf(house, run.site)?.encrypted ?? false }, need, undo);
  const atEnd = aloneMs === undefined ? 'expire' : 'proceed';
  const reply = promptReply(input.described, {
    prompt: { code, need, role, expiresAt, atEnd },
    run,
    prefix: settings.prefix,
    timezone: bot.timezone,
    now,
    approvers,
    typed,
  });
  const asked = atEnd === 'proceed' ? everybody(house, run) : need === 'two-person' ? approvers.slice(0, 1) : [];
  const message = say(
    ledger,
    address,
    reply,
    { kind: 'prompt', command: run.command, run: runName(run.id), outcome: 'waiting', code },
    { rings: need === 'two-person', mentions: asked },
  );
  const prompt: Prompt = {
    id: ledger.reserve('prompt'),
    rev: 1,
    run: run.id,
    code,
    planHash: run.planHash,
    need,
    role,
    message: message.id,
    asked: 1,
    remindAt: firstReminder(need, now, aloneMs),
    expiresAt,
    atEnd,
    answeredBy: undefined,
    state: 'open',
  };
  const on = { outbox: message.id };
  // Where a ✅ is no yes, none is offered; a ❌ always is a no.
  const signs = typed || atEnd === 'proceed' ? ['❌'] : ['✅', '❌'];
  return { prompt, outbox: [message, ...signs.map((emoji) => react(ledger, address, emoji, on))] };
}

/** The next approver after three minutes; who waits alone tells the room once more before it runs. */
function firstReminder(need: Need, now: EpochMs, aloneMs: number | undefined): EpochMs | undefined {
  if (aloneMs !== undefined) return aloneMs > 2 * remindAfterMs ? now + aloneMs - remindAfterMs : undefined;
  return need === 'two-person' ? now + remindAfterMs : undefined;
}
