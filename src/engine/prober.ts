import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Reading, Readings } from '#domain/readings.ts';
import type { SiteCheckPorts } from './check-ports.ts';
import { CheckSignals } from './check-signals.ts';
import { type CheckSample, missingFor, type NamedCheck, seriesOf } from './check.ts';
import { newestRound, type Round } from './round.ts';

export type ProberOptions = {
  site: string;
  /** With the limits of the settings applied. */
  checks: readonly NamedCheck[];
  ports: SiteCheckPorts;
  readings: Readings;
  clock: Clock;
  /** What the checks tell, for the alerter. */
  tell: (signals: Signal[]) => void | Promise<void>;
  /** What a person must look at in the log: a failing disk, a bug of ours. */
  fault: (what: string, error: unknown) => void;
  /** Readings older than this are forgotten. */
  keepMs?: number;
};

const defaultTimeoutMs = 10_000;
const defaultKeepMs = 8 * 86_400_000;
const trimEveryMs = 6 * 3_600_000;
// A rate needs two scrapes: after a start the second comes sooner than its period.
const secondReadMs = 20_000;
// Apart, so that an answer to a person never waits for all of them at once.
const apartMs = 50;

/** Runs every check at its period, stores what it read, judges it and tells. A check that fails is a reading too. */
export class Prober {
  /** The checks that run here; those whose part is off are not among them. */
  readonly active: readonly NamedCheck[];
  readonly #options: ProberOptions;
  readonly #signals: CheckSignals;
  readonly #rounds = new Map<string, Round>();
  readonly #kept = new Map<string, unknown>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #due = new Map<string, number>();

  constructor(options: ProberOptions) {
    this.#options = options;
    const { site, readings } = options;
    this.active = options.checks.filter((check) => missingFor(check, options.ports).length === 0);
    for (const check of this.active) {
      const round = newestRound(readings.lastOf(site, `${check.name}.`));
      if (round !== undefined) this.#rounds.set(check.name, round);
    }
    this.#signals = new CheckSignals({ site, checks: this.active, readings, roundOf: (name) => this.round(name) });
  }

  /** The newest reading of a check, also from before the start. */
  round(check: string): Round | undefined {
    return this.#rounds.get(check);
  }

  /** Until the signal is aborted; then waits for what is being read. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const start = clock.monotonicMs();
    for (const [n, check] of this.active.entries()) this.#due.set(check.name, start + n * apartMs);
    let trimAt = start;
    while (!signal.aborted) {
      const now = clock.monotonicMs();
      if (now >= trimAt) {
        trimAt = now + trimEveryMs;
        this.#trim();
      }
      for (const check of this.active) this.#startIfDue(check, now, signal);
      const next = Math.min(trimAt, ...this.#due.values());
      await clock.sleep(Math.max(1, next - clock.monotonicMs()), signal).catch(() => undefined);
    }
    await Promise.allSettled(this.#running.values());
  }

  /** Reads one check now; who comes while it is being read waits for that one. Never throws. */
  probe(check: NamedCheck, signal: AbortSignal): Promise<void> {
    const running = this.#running.get(check.name);
    if (running !== undefined) return running;
    const round = this.#probe(check, signal)
      .catch((error: unknown) => this.#options.fault(`check ${check.name}`, error))
      .finally(() => this.#running.delete(check.name));
    this.#running.set(check.name, round);
    return round;
  }

  #startIfDue(check: NamedCheck, now: number, signal: AbortSignal): void {
    let due = this.#due.get(check.name) ?? now;
    if (due > now) return;
    // On the same beat as before, however late this one is.
    while (due <= now) due += check.everyMs;
    this.#due.set(check.name, due);
    const first = !this.#kept.has(check.name);
    void this.probe(check, signal).then(() => {
      if (first && this.#kept.has(check.name)) {
        this.#due.set(check.name, this.#options.clock.monotonicMs() + Math.min(check.everyMs, secondReadMs));
      }
    });
  }

  async #probe(check: NamedCheck, signal: AbortSignal): Promise<void> {
    const { clock, readings, site } = this.#options;
    const samples = await this.#read(check, signal);
    if (signal.aborted || samples.length === 0) return;
    const at = clock.now();
    const round: Round = {
      at,
      readings: samples.map(({ name, of, value, note }): Reading => ({
        series: seriesOf(check.name, name, of),
        at,
        // NaN and infinities are no readings: a stored one would poison every sum.
        value: value !== undefined && Number.isFinite(value) ? value : undefined,
        note: note ?? (value !== undefined && !Number.isFinite(value) ? 'not a number' : undefined),
      })),
    };
    this.#rounds.set(check.name, round);
    try {
      readings.put(site, [...round.readings]);
    } catch (error) {
      // The verdict goes on without its history.
      this.#options.fault(`readings of ${check.name} could not be stored`, error);
    }
    const signals = this.#signals.after(check, round);
    if (signals.length > 0) await this.#options.tell(signals);
  }

  async #read(check: NamedCheck, signal: AbortSignal): Promise<CheckSample[]> {
    const { clock, ports, readings, site } = this.#options;
    const timeoutMs = check.timeoutMs ?? defaultTimeoutMs;
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    const tooLong = clock.sleep(timeoutMs, both).then((): never => {
      throw new OpsError('unavailable', `No answer in ${timeoutMs / 1000} s.`);
    });
    const before = {
      keep: this.#kept.get(check.name),
      history: (name: string, forMs: number) => readings.since(site, seriesOf(check.name, name), clock.now() - forMs),
    };
    const reading = check.read(ports, before, both);
    // Whoever loses the race below is listened to no more.
    reading.catch(() => undefined);
    tooLong.catch(() => undefined);
    try {
      const { samples, keep } = await Promise.race([reading, tooLong]);
      if (keep !== undefined) this.#kept.set(check.name, keep);
      return samples;
    } catch (error) {
      if (!(error instanceof OpsError) && !signal.aborted) this.#options.fault(`check ${check.name}`, error);
      const note = error instanceof OpsError ? error.message : 'The check itself failed; the log says why.';
      return Object.keys(check.values).map((name) => ({ name, value: undefined, note }));
    } finally {
      over.abort();
    }
  }

  #trim(): void {
    const { clock, keepMs, readings, fault } = this.#options;
    try {
      readings.trim(clock.now() - (keepMs ?? defaultKeepMs));
    } catch (error) {
      fault('old readings could not be removed', error);
    }
  }
}
