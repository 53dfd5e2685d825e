import type { UserId } from '#domain/accounts.ts';
import type { Json } from '#domain/canonical.ts';
import { canonicalJson } from '#domain/canonical.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Line } from '#domain/messages.ts';
import { type Run, runName, type Step } from '#domain/runs.ts';
import type { ChangeCommand, EachResult, Look, RunHands } from './command.ts';

const maxKeptBytes = 4096;
const memoryRetryMs = 1000;
// `unknown`: people have looked, and let it be done again.
const unsure = new Set(['begun', 'unknown']);

/** What the door has to know of a run at work. */
export type HandsEvents = {
  progress(done: number, total: number | undefined, what: string): void;
  /** The memory takes nothing; it is tried again each second. */
  waits(error: OpsError): void;
};

/** The hands of `apply`: every act is a recorded step, so that a crash at any point is met with knowledge. */
export class Hands implements RunHands<string> {
  readonly id: number;
  readonly actor: UserId;
  readonly approver: UserId | undefined;
  readonly signal: AbortSignal;
  readonly lines: Line[] = [];
  readonly offers: Array<{ text: string; command: string }> = [];
  /** What could not be done, in words: the run ends as `partial`. */
  readonly failures: string[] = [];
  /** A step that was cut off and may not be done again by itself: the run ends as `interrupted`. */
  cutOff: OpsError | undefined;
  /** The memory did not take a step: nothing more is begun, and the run goes on from what is on disk. */
  forgot: OpsError | undefined;
  readonly #name: string;
  readonly #command: ChangeCommand;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #events: HandsEvents;
  readonly #crash: (point: string) => void;
  readonly #steps: Map<string, Step>;
  /** Steps that were skipped while the memory took nothing. */
  #unwritten: Step[] = [];

  constructor(input: {
    run: Run;
    command: ChangeCommand;
    ledger: Ledger;
    clock: Clock;
    signal: AbortSignal;
    events: HandsEvents;
    /** Called at each crash point, between an act and its record: a test ends the process there. */
    crash?: (point: string) => void;
  }) {
    this.id = input.run.id;
    this.actor = input.run.actor;
    const prompt = input.ledger.prompt({ run: input.run.id });
    this.approver = prompt?.need === 'two-person' && prompt.state === 'granted' ? prompt.answeredBy : undefined;
    this.signal = input.signal;
    this.#name = input.run.command;
    this.#command = input.command;
    this.#ledger = input.ledger;
    this.#clock = input.clock;
    this.#events = input.events;
    this.#crash = input.crash ?? (() => {});
    this.#steps = new Map(input.ledger.steps(input.run.id).map((step) => [step.key, step]));
  }

  /** Has anything been done that can't be taken for nothing? */
  get begun(): boolean {
    return [...this.#steps.values()].some((step) => step.state === 'done' || step.cursor > 0);
  }

  titleOf(key: string): string {
    return this.#command.steps[key]?.title ?? key;
  }

  /** Titles of the steps: done, perhaps done (cut off in the middle), and failed or never reached. */
  tally(): { done: string[]; unsure: string[]; left: string[] } {
    const tally = { done: new Array<string>(), unsure: new Array<string>(), left: new Array<string>() };
    for (const key of Object.keys(this.#command.steps)) {
      const state = this.#steps.get(key)?.state;
      if (state === 'skipped') continue;
      const list = state === 'done' ? tally.done : unsure.has(state ?? '') ? tally.unsure : tally.left;
      list.push(this.titleOf(key));
    }
    return tally;
  }

  #declared(key: string): ChangeCommand['steps'][string] {
    const declared = this.#command.steps[key];
    if (!declared) throw new OpsError('internal', `Step "${key}" is not declared.`);
    return declared;
  }

  /** Waits while the memory takes nothing (a full disk): what was done is known here, and must not be done again. */
  async #write(step: Step): Promise<void> {
    for (;;) {
      try {
        this.#ledger.commit({ at: this.#clock.now(), steps: [...this.#unwritten, step] });
        break;
      } catch (error) {
        this.forgot = asOpsError(error);
        if (this.forgot.kind !== 'unavailable' || this.signal.aborted) throw this.forgot;
        this.#events.waits(this.forgot);
        await this.#clock.sleep(memoryRetryMs, this.signal).catch(() => {});
      }
    }
    this.forgot = undefined;
    this.#unwritten = [];
    this.#steps.set(step.key, step);
  }

  done(key: string): boolean {
    return this.#steps.get(key)?.state === 'done';
  }

  async #begin(key: string, total?: number): Promise<Step> {
    const known = this.#steps.get(key);
    if (this.signal.aborted) throw new OpsError('cancelled', `Stopped before: ${this.titleOf(key)}.`);
    // Also one that failed: it may have been done all the same.
    if (known && ['begun', 'failed'].includes(known.state) && this.#declared(key).again === 'never') {
      const message = `"${this.titleOf(key)}" was cut off and must not be repeated unseen.`;
      this.cutOff = new OpsError('conflict', message, { effect: 'unknown' });
      throw this.cutOff;
    }
    const step: Step = {
      run: this.id,
      key,
      attempt: (known?.attempt ?? 0) + 1,
      state: 'begun',
      cursor: known?.cursor ?? 0,
      total: total ?? known?.total,
      kept: undefined,
      error: undefined,
      begunAt: known?.begunAt ?? this.#clock.now(),
      endedAt: undefined,
    };
    await this.#write(step);
    return step;
  }

  async #fail(step: Step, error: unknown): Promise<OpsError> {
    const ops = asOpsError(error);
    await this.#write({ ...step, state: 'failed', error: `${ops.kind}: ${ops.message}`, endedAt: this.#clock.now() });
    return ops;
  }

  async step<T>(key: string, act: (signal: AbortSignal) => Promise<T>, options: { look?: Look<T> } = {}): Promise<T> {
    const declared = this.#declared(key);
    if (declared.again === 'look' && !options.look)
      throw new OpsError('internal', `Step "${key}" has no probe to look with.`);
    const keep = declared.keep ?? true;
    const known = this.#steps.get(key);
    if (known?.state === 'done' && keep) return known.kept as T;
    const step = await this.#begin(key);
    let result: T;
    try {
      const cutOff = known !== undefined && known.state !== 'done' && declared.again === 'look';
      const seen = cutOff && options.look ? await options.look(this.signal, step.begunAt) : { done: false as const };
      this.#crash(`${this.#name}.${key}:before`);
      result = seen.done ? seen.value : await act(this.signal);
      this.#crash(`${this.#name}.${key}:after`);
    } catch (error) {
      throw await this.#fail(step, error);
    }
    const kept = keep && result !== undefined ? (result as Json) : undefined;
    if (kept !== undefined && Buffer.byteLength(canonicalJson(kept)) > maxKeptBytes) {
      throw await this.#fail(
        step,
        new OpsError('internal', `The result of step "${key}" is above 4 KB.`, { effect: 'done' }),
      );
    }
    await this.#write({ ...step, state: 'done', kept, endedAt: this.#clock.now() });
    return result;
  }

  async attempt<T>(key: string, act: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.step(key, act);
    } catch (error) {
      const ops = asOpsError(error);
      if (ops.kind === 'cancelled' || ops.kind === 'internal' || ops === this.forgot) throw ops;
      this.failures.push(`${this.titleOf(key)}: ${ops.message}`);
      return undefined;
    }
  }

  async each<T>(
    key: string,
    items: readonly T[],
    act: (item: T, signal: AbortSignal) => Promise<void>,
    options: { parallel?: number; name?: (item: T) => string } = {},
  ): Promise<EachResult<T>> {
    const known = this.#steps.get(key);
    if (known?.state === 'done') return { failed: [] };
    // What had failures begins again from the top, lest they be forgotten: each act is declared repeatable.
    let step = await this.#begin(key, items.length);
    const from = known?.error === undefined ? step.cursor : 0;
    const stopped = (): Promise<OpsError> =>
      this.#fail(step, new OpsError('cancelled', `Stopped in: ${this.titleOf(key)}.`));
    const parallel = options.parallel ?? 1;
    const failed: Array<{ item: T; why: string }> = [];
    for (let at = from; at < items.length; at += parallel) {
      if (this.signal.aborted) throw await stopped();
      const chunk = items.slice(at, at + parallel);
      this.#crash(`${this.#name}.${key}:before`);
      const results = await Promise.allSettled(chunk.map((item) => act(item, this.signal)));
      this.#crash(`${this.#name}.${key}:after`);
      // What the stop itself cut off is no failure of the item.
      if (this.signal.aborted && results.some((result) => result.status === 'rejected')) throw await stopped();
      results.forEach((result, index) => {
        if (result.status === 'rejected') failed.push({ item: chunk[index]!, why: asOpsError(result.reason).message });
      });
      const error = failed.length > 0 ? `${failed.length} failed` : undefined;
      step = { ...step, cursor: Math.min(items.length, at + parallel), error };
      await this.#write(step);
      this.progress(step.cursor, items.length, this.titleOf(key));
    }
    const names = failed.map(({ item, why }) => `${options.name?.(item) ?? String(item)} (${why})`);
    if (failed.length > 0) {
      this.failures.push(
        `${this.titleOf(key)}: ${failed.length} of ${items.length} failed: ${names.slice(0, 5).join('; ')}`,
      );
      await this.#fail(step, new OpsError('unavailable', names.join('; ').slice(0, 1000)));
    } else await this.#write({ ...step, state: 'done', endedAt: this.#clock.now() });
    return { failed };
  }

  skip(key: string, why: string): void {
    this.#declared(key);
    const at = this.#clock.now();
    const none = { cursor: 0, total: undefined, kept: undefined };
    const step: Step = {
      ...none,
      state: 'skipped',
      run: this.id,
      key,
      attempt: 1,
      error: why,
      begunAt: at,
      endedAt: at,
    };
    this.#steps.set(key, step);
    try {
      this.#ledger.commit({ at, steps: [step] });
    } catch {
      this.#unwritten.push(step);
    }
  }

  progress(done: number, total: number | undefined, what = ''): void {
    this.#events.progress(done, total, what);
  }

  say(line: Line): void {
    this.lines.push(line);
  }

  offer(text: string, command: string): void {
    this.offers.push({ text, command });
  }

  toString(): string {
    return runName(this.id);
  }
}
