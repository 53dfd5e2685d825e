import type { AuditEntry } from '#domain/audit.ts';
import { hashOf, type Json } from '#domain/canonical.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import type { Role } from '#domain/operators.ts';
import type { Need } from '#domain/prompts.ts';
import { advance, type Run } from '#domain/runs.ts';
import { glassDetail, glassPages } from './break-glass.ts';
import type { ChangeCommand, Prepared } from './command.ts';
import { type House, whereOf } from './house.ts';
import type { Typed } from './parse.ts';
import { openPrompt } from './prompt.ts';
import { whoIsAsked } from './second-person.ts';
import { shapeOf } from './shape.ts';
import type { Address } from './speak.ts';

/** What is asked for, as a run that has not begun. */
export function newRun(
  house: House,
  {
    item,
    typed,
    command,
    prepared,
  }: { item: InboxItem; typed: Typed; command: ChangeCommand; prepared: Prepared<unknown, unknown> },
): Run {
  const { clock, ledger, build } = house;
  const plan = command.plan.parse(prepared.plan) as Json;
  return {
    id: ledger.reserve('run'),
    rev: 0,
    site: item.site,
    key: item.key,
    actor: item.sender,
    proof: item.proof,
    command: typed.name,
    args: typed.args,
    shape: shapeOf(command),
    plan,
    planHash: hashOf([typed.name, plan]),
    touches: prepared.touches,
    state: 'taken',
    reason: undefined,
    where: whereOf(house, item),
    undoOf: typed.undoOf,
    breakGlass: undefined,
    message: undefined,
    madeAt: clock.now(),
    deadlineAt: undefined,
    begunAt: undefined,
    endedAt: undefined,
    build,
  };
}

/** Asks whoever has to say yes: the run waits, the question stands in the room, one Change. */
export function askFirst(
  house: House,
  asked: {
    run: Run;
    command: ChangeCommand;
    described: Reply;
    need: Need;
    approver: Role | undefined;
    change: Change;
    address: Address;
    audit: (outcome: string, detail: { [key: string]: Json }) => AuditEntry;
  },
): void {
  const { run, command, described, need, change, address, audit } = asked;
  const { role, approvers, aloneMs } = whoIsAsked(house, run, command, asked);
  const waiting = advance(run, 'waiting');
  const about: Address = { ...address, about: { kind: 'prompt', id: run.id } };
  const { prompt, outbox } = openPrompt({
    house,
    run: waiting,
    address: about,
    described,
    need,
    role,
    approvers,
    aloneMs,
  });
  house.ledger.commit({
    ...change,
    runs: [{ ...waiting, deadlineAt: prompt.expiresAt }],
    prompts: [prompt],
    outbox: [...(change.outbox ?? []), ...outbox, ...glassPages(house, about, waiting)],
    audit: [audit('asked', { plan: run.plan, hash: run.planHash, need, code: prompt.code, ...glassDetail(run) })],
  });
}
