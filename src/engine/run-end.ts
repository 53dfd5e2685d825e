import type { AuditEntry } from '#domain/audit.ts';
import type { Json } from '#domain/canonical.ts';
import type { OpsError } from '#domain/errors.ts';
import type { Change } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import { advance, outcomeOf, type Run, runName, type RunState } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import type { Hands } from './hands.ts';
import type { House } from './house.ts';
import { typedLine } from './parse.ts';
import { endReply } from './result.ts';
import { type Address, laneOf, react, say, signAbout, takeBack } from './speak.ts';

const marks: Partial<Record<RunState, string>> = { done: '✅', partial: '⚠️', interrupted: '⚠️' };

/** What the end of a run can tell beside its state. */
export type Ending = {
  hands?: Hands;
  reply?: Reply | undefined;
  /** The outbox row of the ⏳, to be taken back. */
  sign?: number | undefined;
  /** Goes into the same Change: the answer that ended it. */
  also?: Pick<Change, 'inbox' | 'prompts' | 'votes' | 'audit'>;
};

/** Where what is said about a run goes. */
export function addressOf(house: House, run: Run): Address {
  const where = run.where ?? { room: house.ports(run.site).bot.opsRoom, thread: undefined, event: undefined };
  return { site: run.site, where, lane: laneOf(run.key), about: { kind: 'run', id: run.id }, at: house.clock.now() };
}

export const runAudit = (house: House, run: Run, outcome: string, detail: Json): AuditEntry => ({
  at: house.clock.now(),
  actor: run.actor,
  site: run.site,
  run: run.id,
  incident: undefined,
  act: run.command,
  outcome,
  detail,
});

export const signOf = (house: House, run: Run): number | undefined =>
  signAbout(house.ledger, { kind: 'run', id: run.id });

/** The one Change that ends a run, says how, and writes it down. */
export function endChange(
  house: House,
  command: ChangeCommand | undefined,
  end: { run: Run; state: RunState; error: OpsError | undefined; ending: Ending },
): Change {
  const { ledger, clock, settings } = house;
  const { run, state, error, ending } = end;
  const ended = advance(run, state, { endedAt: clock.now(), reason: error?.message ?? ending.hands?.failures[0] });
  const address = addressOf(house, run);
  const typed = command && typedLine(run.command, command, run.args);
  const { hands, sign = signOf(house, run), also } = ending;
  const reply = endReply({ run: ended, error, hands, reply: ending.reply, typed, prefix: settings.prefix, command });
  const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: outcomeOf(state) };
  const event = run.where?.event;
  return {
    ...also,
    at: clock.now(),
    runs: [ended],
    releaseLocksOf: [run.id],
    audit: [
      ...(also?.audit ?? []),
      runAudit(house, run, state, {
        ...(error ? { error: error.message, kind: error.kind, effect: error.effect } : {}),
        ...(hands && hands.failures.length > 0 ? { failures: hands.failures } : {}),
        steps: ledger.steps(run.id).map((step) => [step.key, step.state, step.attempt]),
      }),
    ],
    outbox: [
      say(ledger, address, reply, mark, { replaces: run.message, collapse: `progress:${run.id}` }),
      ...(event === undefined ? [] : [react(ledger, address, marks[state] ?? '❌', { event })]),
      ...(sign === undefined ? [] : [takeBack(ledger, address, sign)]),
    ],
  };
}

/** Says how far it is, in its one message; gives the run that knows the message. */
export function sayProgress(
  house: House,
  run: Run,
  { done, total, what }: { done: number; total: number | undefined; what: string },
): Run {
  const { ledger } = house;
  const address = addressOf(house, run);
  const share = total ? ` ${Math.floor((100 * done) / total)} %` : '';
  const reply: Reply = { title: [`⏳ ${run.command}: ${what}${share}`, ` (${runName(run.id)})`] };
  const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: 'waiting' as const };
  const row = say(ledger, address, reply, mark, { replaces: run.message, collapse: `progress:${run.id}` });
  const next = { ...run, rev: run.rev + 1, message: run.message ?? row.id };
  ledger.commit({ at: address.at, runs: [next], outbox: [row] });
  return next;
}
