import type { UserId } from '#domain/accounts.ts';
import type { AuditEntry } from '#domain/audit.ts';
import type { Json } from '#domain/canonical.ts';
import { asOpsError, causeOf, OpsError } from '#domain/errors.ts';
import type { Change } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import { advance, hasEnded, locksOf, outcomeOf, type Run, runName, type RunState } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import { Hands, type HandsEvents } from './hands.ts';
import { type House, portsFor } from './house.ts';
import { typedLine } from './parse.ts';
import { recheck } from './recheck.ts';
import { endReply } from './result.ts';
import { shapeOf } from './shape.ts';
import { signOfLifeMs } from './sign-of-life.ts';
import { type Address, laneOf, react, say, signAbout, signOfLife, takeBack } from './speak.ts';

const firstProgressMs = 3000;
const progressEveryMs = 3000;
const marks: Partial<Record<RunState, string>> = { done: '✅', partial: '⚠️', interrupted: '⚠️' };

/** What the end of a run can tell beside its state. */
type Ending = {
  hands?: Hands;
  reply?: Reply | undefined;
  /** The outbox row of the ⏳, to be taken back. */
  sign?: number | undefined;
  /** Goes into the same Change: the answer that ended it. */
  also?: Pick<Change, 'inbox' | 'prompts' | 'votes' | 'audit'>;
};
type Active = { run: Run; abort: AbortController; sign: number | undefined; saidAtMs: number; work: Promise<void> };

/** Carries a run from its begin to its end, also over a crash: recheck, apply by steps, settle. */
export class Runner {
  readonly #house: House;
  readonly #active = new Map<number, Active>();
  #closing = false;

  constructor(house: House) {
    this.#house = house;
  }

  #command(run: Run): ChangeCommand | undefined {
    const command = this.#house.catalogue.command(run.command);
    return command?.kind === 'change' ? command : undefined;
  }

  #address(run: Run): Address {
    const where = run.where ?? { room: this.#house.ports(run.site).bot.opsRoom, thread: undefined, event: undefined };
    return {
      site: run.site,
      where,
      lane: laneOf(run.key),
      about: { kind: 'run', id: run.id },
      at: this.#house.clock.now(),
    };
  }

  #audit(run: Run, outcome: string, detail: Json): AuditEntry {
    return {
      at: this.#house.clock.now(),
      actor: run.actor,
      site: run.site,
      run: run.id,
      incident: undefined,
      act: run.command,
      outcome,
      detail,
    };
  }

  /** Commits the begin of a run (intent before the act) and works on it. Throws `conflict` when a lock is held. */
  start(run: Run, change: Change): void {
    const takeLocks = locksOf(run.touches).map((target) => ({ target, run: run.id }));
    this.#house.ledger.commit({ ...change, runs: [...(change.runs ?? []), run], takeLocks });
    this.#work(run);
  }

  /** After the yes: is the world still as it was described? Then begin. Never rejects. */
  async proceed(id: number): Promise<void> {
    await this.#proceed(id).catch((error: unknown) => this.#noteStuck(id, error));
  }

  /** The memory takes nothing (a full disk): the run is found again at the next start. */
  #noteStuck(run: number, error: unknown): void {
    const ops = asOpsError(error);
    this.#house.log.error(
      { run, why: ops.message, cause: causeOf(ops) },
      'a run could not be settled; it is kept for the next start',
    );
  }

  async #proceed(id: number): Promise<void> {
    const { ledger, clock } = this.#house;
    const run = ledger.run(id);
    const prompt = ledger.prompt({ run: id });
    if (run?.state !== 'waiting' || prompt?.state !== 'granted') return;
    try {
      await recheck(this.#house, { run, prompt, command: this.#command(run) });
      this.start(advance(run, 'running', { begunAt: clock.now() }), {
        at: clock.now(),
        audit: [this.#audit(run, 'begun', { plan: run.plan, hash: run.planHash })],
      });
    } catch (error) {
      // Cancelled while it was looked at again: then it has ended already.
      if (ledger.run(id)?.rev !== run.rev) return;
      const ops = asOpsError(error);
      this.end(run, ops.kind === 'denied' ? 'refused' : 'conflict', ops);
    }
  }

  #work(run: Run): void {
    const active: Active = {
      run,
      abort: new AbortController(),
      sign: this.#signOf(run),
      saidAtMs: 0,
      work: Promise.resolve(),
    };
    this.#active.set(run.id, active);
    active.work = this.#apply(active)
      .catch((error: unknown) => this.#noteStuck(run.id, error))
      .finally(() => this.#active.delete(run.id));
  }

  #hands(run: Run, command: ChangeCommand, active?: Active): Hands {
    const { ledger, clock } = this.#house;
    const progress: HandsEvents['progress'] = (done, total, what) =>
      active && this.#progress(active, done, total, what);
    const signal = active?.abort.signal ?? AbortSignal.abort();
    return new Hands({ run, command, ledger, clock, signal, events: { progress } });
  }

  async #apply(active: Active): Promise<void> {
    const { clock, log } = this.#house;
    const { run } = active;
    const command = this.#command(run);
    if (!command)
      return this.end(run, 'interrupted', new OpsError('conflict', `There is no command ${run.command} any more.`));
    const hands = this.#hands(run, command, active);
    const timer = new AbortController();
    // Not slept through to its end, or not to be noted: it is only a sign.
    clock
      .sleep(signOfLifeMs, timer.signal)
      .then(() => this.#sign(active))
      .catch(() => {});
    try {
      const ports = this.#house.ports(run.site);
      const reply = await command.apply(run.plan, portsFor(command, ports), hands);
      this.end(active.run, hands.failures.length > 0 ? 'partial' : 'done', undefined, {
        hands,
        reply,
        sign: active.sign,
      });
    } catch (error) {
      if (this.#closing) return;
      const ops = asOpsError(error);
      if (ops.kind === 'internal') log.error({ run: run.id, cause: ops.cause ?? ops }, 'a run failed by a bug');
      const begun = hands.begun || hands.failures.length > 0;
      const unbegun = ops.kind === 'cancelled' && active.run.state === 'stopping' ? 'cancelled' : 'failed';
      const state = ops === hands.cutOff ? 'interrupted' : begun ? 'partial' : unbegun;
      this.end(active.run, state, ops, { hands, sign: active.sign });
    } finally {
      timer.abort();
    }
  }

  #signOf = (run: Run): number | undefined => signAbout(this.#house.ledger, { kind: 'run', id: run.id });

  #sign(active: Active): void {
    const event = active.run.where?.event;
    if (event === undefined || active.sign !== undefined || !this.#active.has(active.run.id) || this.#closing) return;
    const row = react(this.#house.ledger, this.#address(active.run), signOfLife, { event });
    active.sign = row.id;
    this.#house.ledger.commit({ at: this.#house.clock.now(), outbox: [row] });
  }

  /** One message, edited at most every 3 s; the last edit carries the result. */
  #progress(active: Active, done: number, total: number | undefined, what: string): void {
    const { clock, ledger } = this.#house;
    const { run } = active;
    const now = clock.now();
    if (this.#closing || now - (run.begunAt ?? now) < firstProgressMs || now - active.saidAtMs < progressEveryMs)
      return;
    active.saidAtMs = now;
    const address = this.#address(run);
    const share = total ? ` ${Math.floor((100 * done) / total)} %` : '';
    const reply: Reply = { title: [`⏳ ${run.command}: ${what}${share}`, ` (${runName(run.id)})`] };
    const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: 'waiting' as const };
    const row = say(ledger, address, reply, mark, { replaces: run.message, collapse: `progress:${run.id}` });
    active.run = { ...run, rev: run.rev + 1, message: run.message ?? row.id };
    ledger.commit({ at: now, runs: [active.run], outbox: [row] });
  }

  /** Ends a run, says how, and writes it down: one Change. */
  end(run: Run, state: RunState, error?: OpsError, ending: Ending = {}): void {
    const { ledger, clock, settings } = this.#house;
    const ended = advance(run, state, { endedAt: clock.now(), reason: error?.message ?? ending.hands?.failures[0] });
    const address = this.#address(run);
    const command = this.#command(run);
    const typed = command && typedLine(run.command, command, run.args);
    const { hands, sign = this.#signOf(run), also } = ending;
    const reply = endReply({ run: ended, error, hands, reply: ending.reply, typed, prefix: settings.prefix, command });
    const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: outcomeOf(state) };
    const event = run.where?.event;
    ledger.commit({
      ...also,
      at: clock.now(),
      runs: [ended],
      releaseLocksOf: [run.id],
      audit: [
        ...(also?.audit ?? []),
        this.#audit(run, state, {
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
    });
  }

  /** Ends a waiting run, or asks a running one to stop at its next step. Throws `notFound` or `conflict`. */
  cancel(id: number, by: UserId, also: NonNullable<Ending['also']> = {}): Run {
    const { ledger, clock } = this.#house;
    const run = this.#active.get(id)?.run ?? ledger.run(id);
    if (!run) throw new OpsError('notFound', `There is no run ${runName(id)}.`, { hint: '!runs lists them.' });
    if (hasEnded(run)) throw new OpsError('conflict', `Run ${runName(id)} has ended already: ${run.state}.`);
    const active = this.#active.get(id);
    if (run.state === 'stopping') return run;
    if (active && run.state === 'running') {
      active.run = advance(run, 'stopping', { reason: `stopped by ${by}` });
      ledger.commit({ at: clock.now(), runs: [active.run], audit: [this.#audit(run, 'stopping', { by })] });
      active.abort.abort(new OpsError('cancelled', `Stopped by ${by}.`));
      return active.run;
    }
    const prompt = ledger.prompt({ run: id });
    const closed =
      prompt?.state === 'open'
        ? [{ ...prompt, rev: prompt.rev + 1, state: 'cancelled' as const, remindAt: undefined }]
        : [];
    const error = new OpsError('cancelled', `Cancelled by ${by}; nothing was done.`);
    this.end(run, 'cancelled', error, { also: { ...also, prompts: closed } });
    return ledger.run(id) ?? run;
  }

  /** After a start: what a crash cut off goes on, begins again or is reported, as its command declares. */
  recover(): void {
    const { ledger, log } = this.#house;
    for (const run of ledger.runsBy({ states: ['running', 'stopping'] })) {
      const command = this.#command(run);
      const fits = command !== undefined && shapeOf(command) === run.shape && run.state === 'running';
      log.info({ run: run.id, command: run.command, fits }, 'found a run that a crash cut off');
      if (fits && command.afterCrash !== 'report') {
        if (command.afterCrash === 'restart') this.#forgetSteps(run);
        this.#work(run);
      } else {
        const error = new OpsError('conflict', 'The bot was stopped in the middle of this.', { effect: 'unknown' });
        this.end(run, 'interrupted', error, command ? { hands: this.#hands(run, command) } : {});
      }
    }
    for (const run of ledger.runsBy({ states: ['waiting'] })) {
      const state = ledger.prompt({ run: run.id })?.state;
      if (state === 'granted') void this.proceed(run.id);
      else if (state !== 'open') {
        const ended = state === 'denied' || state === 'expired' ? state : 'cancelled';
        this.end(run, ended, new OpsError('cancelled', `The question was ${ended}; nothing was done.`));
      }
    }
  }

  #forgetSteps(run: Run): void {
    const steps = this.#house.ledger.steps(run.id);
    const fresh = steps.map((step) => ({
      ...step,
      state: 'failed' as const,
      cursor: 0,
      kept: undefined,
      error: 'begun again',
    }));
    this.#house.ledger.commit({ at: this.#house.clock.now(), steps: fresh });
  }

  /** Stops working; what is not finished within `graceMs` is found again at the next start. */
  async close(graceMs: number): Promise<void> {
    const works = [...this.#active.values()].map((active) => active.work);
    const { clock } = this.#house;
    await Promise.race([Promise.allSettled(works), clock.sleep(works.length > 0 ? graceMs : 0)]);
    this.#closing = true;
    for (const active of this.#active.values()) active.abort.abort(new OpsError('cancelled', 'The bot is stopping.'));
    await Promise.race([Promise.allSettled(works), clock.sleep(works.length > 0 ? 2000 : 0)]);
  }
}
