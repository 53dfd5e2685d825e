import type { UserId } from '#domain/accounts.ts';
import { asOpsError, causeOf, OpsError } from '#domain/errors.ts';
import type { Change } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import { advance, hasEnded, locksOf, type Run, runName, type RunState } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import { Hands, type HandsEvents } from './hands.ts';
import { type House, portsFor } from './house.ts';
import { recheck } from './recheck.ts';
import { makeSafe } from './make-safe.ts';
import { findRun } from './resume-run.ts';
import { addressOf, type Ending, endChange, runAudit, sayProgress, signOf } from './run-end.ts';
import { shapeOf } from './shape.ts';
import { signOfLifeMs } from './sign-of-life.ts';
import { react, signOfLife } from './speak.ts';

const firstProgressMs = 3000;
const progressEveryMs = 3000;
type Active = { run: Run; abort: AbortController; sign: number | undefined; saidAtMs: number; work: Promise<void> };

/** Carries a run from its begin to its end, also over a crash: recheck, apply by steps, settle. */
export class Runner {
  readonly #house: House;
  readonly #active = new Map<number, Active>();
  readonly #stuck = new Map<number, () => void>();
  readonly #complained = new Set<number>();
  #closing = false;

  constructor(house: House) {
    this.#house = house;
  }

  #command(run: Run): ChangeCommand | undefined {
    const command = this.#house.catalogue.command(run.command);
    return command?.kind === 'change' ? command : undefined;
  }

  /** Commits the begin of a run (intent before the act) and works on it. Throws `conflict` when a lock is held. */
  start(run: Run, change: Change): void {
    const takeLocks = locksOf(run.touches).map((target) => ({ target, run: run.id }));
    this.#house.ledger.commit({ ...change, runs: [...(change.runs ?? []), run], takeLocks });
    this.#work(run);
  }

  /** After the yes: is the world still as it was described? Then begin. Never rejects. */
  async proceed(id: number): Promise<void> {
    await this.#proceed(id).catch((error: unknown) => this.#stick(id, error, () => void this.proceed(id)));
  }

  /** The memory takes nothing (a full disk): what could not be written is tried again each second. */
  #stick(run: number, error: unknown, again: () => void): void {
    this.#complain(run, asOpsError(error));
    if (!this.#closing) this.#stuck.set(run, again);
  }

  #complain(run: number, ops: OpsError): void {
    if (this.#complained.has(run)) return;
    this.#complained.add(run);
    const cause = causeOf(ops);
    this.#house.log.error({ run, why: ops.message, cause }, 'a run could not be settled; it is tried again');
  }

  /** Called every second: makes up for what the memory did not take. */
  tick(): void {
    for (const [run, again] of this.#stuck) {
      if (this.#closing || this.#active.has(run)) continue;
      this.#stuck.delete(run);
      this.#calmly(run, again);
    }
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
        audit: [runAudit(this.#house, run, 'begun', { plan: run.plan, hash: run.planHash })],
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
      sign: signOf(this.#house, run),
      saidAtMs: 0,
      work: Promise.resolve(),
    };
    this.#active.set(run.id, active);
    active.work = this.#apply(active)
      .catch((error: unknown) =>
        this.#stick(run.id, error, () =>
          this.#pickUp(run.id, 'The bot could not write its memory in the middle of this.'),
        ),
      )
      .finally(() => this.#active.delete(run.id));
  }

  #hands(run: Run, command: ChangeCommand, active?: Active): Hands {
    const { ledger, clock } = this.#house;
    const progress: HandsEvents['progress'] = (done, total, what) =>
      active && this.#progress(active, done, total, what);
    const waits: HandsEvents['waits'] = (error) => this.#complain(run.id, error);
    const signal = active?.abort.signal ?? AbortSignal.abort();
    const { crash } = this.#house;
    return new Hands({ run, command, ledger, clock, signal, events: { progress, waits }, ...(crash ? { crash } : {}) });
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
    let reply: Reply | undefined;
    let ops: OpsError | undefined;
    try {
      const ports = this.#house.ports(run.site);
      reply = await command.apply(run.plan, portsFor(command, ports), hands);
    } catch (error) {
      ops = asOpsError(error);
    } finally {
      timer.abort();
    }
    // Its steps are on disk as far as the memory took them: it goes on from there.
    if (hands.forgot) throw hands.forgot;
    if (ops && this.#closing) return;
    if (ops?.kind === 'internal') log.error({ run: run.id, cause: ops.cause ?? ops }, 'a run failed by a bug');
    this.#finish(active, hands, ops, reply);
  }

  #finish(active: Active, hands: Hands, ops: OpsError | undefined, reply: Reply | undefined): void {
    const begun = hands.begun || hands.failures.length > 0;
    const unbegun = ops?.kind === 'cancelled' && active.run.state === 'stopping' ? 'cancelled' : 'failed';
    const failed = ops !== undefined && ops === hands.cutOff ? 'interrupted' : begun ? 'partial' : unbegun;
    const state = ops ? failed : hands.failures.length > 0 ? 'partial' : 'done';
    const end = (): void => this.end(active.run, state, ops, { hands, reply, sign: active.sign });
    try {
      end();
    } catch (error) {
      this.#stick(active.run.id, error, end);
    }
  }

  #sign(active: Active): void {
    const event = active.run.where?.event;
    if (event === undefined || active.sign !== undefined || !this.#active.has(active.run.id) || this.#closing) return;
    const row = react(this.#house.ledger, addressOf(this.#house, active.run), signOfLife, { event });
    this.#house.ledger.commit({ at: this.#house.clock.now(), outbox: [row] });
    active.sign = row.id;
  }

  /** One message, edited at most every 3 s; the last edit carries the result. */
  #progress(active: Active, done: number, total: number | undefined, what: string): void {
    const { clock, log } = this.#house;
    const now = clock.now();
    const begunAt = active.run.begunAt ?? now;
    if (this.#closing || now - begunAt < firstProgressMs || now - active.saidAtMs < progressEveryMs) return;
    active.saidAtMs = now;
    try {
      active.run = sayProgress(this.#house, active.run, { done, total, what });
    } catch (error) {
      log.warn({ run: active.run.id, why: asOpsError(error).message }, 'how far a run is could not be said');
    }
  }

  /** Leaves an interrupted run as it is. Throws `notFound` or `conflict`. */
  abandon(id: number, by: UserId): Run {
    const run = findRun(this.#house, id);
    if (run.state !== 'interrupted') {
      throw new OpsError(
        'conflict',
        `Run ${runName(id)} is ${run.state}; only an interrupted one can be left as it is.`,
      );
    }
    const command = this.#command(run);
    const error = new OpsError('cancelled', `${by} leaves it as it is.`);
    this.end(run, 'partial', error, command ? { hands: this.#hands(run, command) } : {});
    return findRun(this.#house, id);
  }

  /** Ends a run, says how, and writes it down: one Change. One that went on after a crash is never taken for not begun. */
  end(run: Run, state: RunState, error?: OpsError, ending: Ending = {}): void {
    const begun = run.state === 'waiting' && run.begunAt !== undefined;
    if (begun && state !== 'interrupted') return this.end(run, 'interrupted', error, ending);
    this.#house.ledger.commit(endChange(this.#house, this.#command(run), { run, state, error, ending }));
    this.#complained.delete(run.id);
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
      const stopping = advance(run, 'stopping', { reason: `stopped by ${by}` });
      ledger.commit({ at: clock.now(), runs: [stopping], audit: [runAudit(this.#house, run, 'stopping', { by })] });
      active.run = stopping;
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
      log.info({ run: run.id, command: run.command }, 'found a run that a crash cut off');
      this.#calmly(run.id, () => this.#pickUp(run.id, 'The bot was stopped in the middle of this.'));
    }
    for (const run of ledger.runsBy({ states: ['waiting'] })) {
      const state = ledger.prompt({ run: run.id })?.state;
      if (state === 'granted') void this.proceed(run.id);
      else if (state !== 'open') {
        const ended = state === 'denied' || state === 'expired' ? state : 'cancelled';
        const error = new OpsError('cancelled', `The question was ${ended}; nothing was done.`);
        this.#calmly(run.id, () => this.end(run, ended, error));
      }
    }
  }

  #calmly(run: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#stick(run, error, work);
    }
  }

  #pickUp(id: number, why: string): void {
    const run = this.#house.ledger.run(id);
    if (run?.state !== 'running' && run?.state !== 'stopping') return;
    const command = this.#command(run);
    const fits = command !== undefined && shapeOf(command) === run.shape && run.state === 'running';
    if (fits && command.afterCrash !== 'report') {
      if (command.afterCrash === 'restart') this.#forgetSteps(run);
      return this.#work(run);
    }
    const hands = command && this.#hands(run, command);
    const end = (): void => {
      const error = new OpsError('conflict', why, { effect: 'unknown' });
      this.end(run, 'interrupted', error, hands ? { hands } : {});
    };
    if (!command?.makeSafe || !hands) return end();
    void makeSafe(this.#house, { run, command, hands }).then(() => this.#calmly(run.id, end));
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
