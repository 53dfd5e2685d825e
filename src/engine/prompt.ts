import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import type { Reply } from '#domain/messages.ts';
import { type Person, roleAtLeast, type Role, sameHuman } from '#domain/operators.ts';
import { codeFor, type Need, type Prompt } from '#domain/prompts.ts';
import { type Run, runName, type Touches } from '#domain/runs.ts';
import type { House } from './house.ts';
import { type Address, react, say } from './speak.ts';

export const remindAfterMs = 180_000;

/** Who could be the second person: not the caller, not a target, entitled and in the room. */
export function eligible(input: {
  people: readonly Person[];
  caller: UserId;
  touches: Touches;
  role: Role;
  joined: readonly UserId[];
}): UserId[] {
  return input.people
    .filter((person) => roleAtLeast(person.role, input.role))
    .filter((person) => [person.user, ...person.aka].some((user) => input.joined.includes(user)))
    .filter((person) => !sameHuman(person.user, input.caller, input.people))
    .filter((person) => !(input.touches.users ?? []).some((t) => sameHuman(t.user, person.user, input.people)))
    .map((person) => person.user);
}

const whoMay = (need: Need, caller: UserId, role: Role): string =>
  need === 'caller'
    ? `Only ${caller} can answer`
    : `A second person with the role ${role} has to answer, not ${caller}`;

/** What to do when nobody else could say yes. From admin up a role itself takes two people. */
export const moreApprovers = (role: Role, prefix: string): string =>
  roleAtLeast(role, 'admin')
    ? 'Put one under `people` in the settings file and start the bot again.'
    : `An owner can add one: ${prefix}people add @name ${role}`;

/** The question as it stands in the room: what would happen, who may say yes, until when, and the typed twin. */
export function promptReply(input: {
  described: Reply;
  prompt: Pick<Prompt, 'code' | 'need' | 'role' | 'expiresAt'>;
  run: Run;
  prefix: string;
  now: EpochMs;
}): Reply {
  const { described, prompt, run, prefix, now } = input;
  return {
    ...described,
    blocks: [
      ...(described.blocks ?? []),
      {
        kind: 'text',
        lines: [
          [
            `${whoMay(prompt.need, run.actor, prompt.role)}, within ${formatDuration(prompt.expiresAt - now)}: react `,
            { bold: '✅' },
            ' or ',
            { bold: '❌' },
            ', or type ',
            { code: `${prefix}approve ${prompt.code}` },
            ' or ',
            { code: `${prefix}deny ${prompt.code}` },
            `. (${runName(run.id)})`,
          ],
        ],
      },
    ],
  };
}

/** The prompt's row and what it says, ready for the Change that makes the run wait. */
export function openPrompt(input: {
  house: House;
  run: Run;
  address: Address;
  described: Reply;
  need: Need;
  role: Role;
  approvers: UserId[];
}): { prompt: Prompt; outbox: NewOutboxRow[] } {
  const { house, run, address, need, role } = input;
  const now = address.at;
  const code = codeFor(run.planHash, (taken) => house.ledger.prompt({ code: taken })?.state === 'open');
  const expiresAt = now + (need === 'caller' ? house.settings.callerMs : house.settings.twoPersonMs);
  const reply = promptReply({
    described: input.described,
    prompt: { code, need, role, expiresAt },
    run,
    prefix: house.settings.prefix,
    now,
  });
  const first = need === 'two-person' ? input.approvers[0] : undefined;
  const message = say(
    house.ledger,
    address,
    reply,
    { kind: 'prompt', command: run.command, run: runName(run.id), outcome: 'waiting', code },
    { rings: first !== undefined, mentions: first === undefined ? [] : [first] },
  );
  const prompt: Prompt = {
    id: house.ledger.reserve('prompt'),
    rev: 1,
    run: run.id,
    code,
    planHash: run.planHash,
    need,
    role,
    message: message.id,
    asked: 1,
    remindAt: first === undefined ? undefined : now + remindAfterMs,
    expiresAt,
    state: 'open',
  };
  const on = { outbox: message.id };
  return { prompt, outbox: [message, react(house.ledger, address, '✅', on), react(house.ledger, address, '❌', on)] };
}
