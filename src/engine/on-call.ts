import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { audienceOf, type Escalation, stepOf } from '#domain/escalation.ts';
import type { OnDuty } from '#domain/incident-desk.ts';
import type { Operators } from '#domain/operators.ts';
import { comingHandoffs, type Layer, onDutyAt, type Override } from '#domain/rota.ts';

/** Who is to be called, now. */
export class OnCall {
  readonly escalation: Escalation;
  readonly #layers: readonly Layer[];
  readonly #operators: Operators;
  readonly #overrides: () => readonly Override[];

  constructor(input: {
    layers: readonly Layer[];
    escalation: Escalation;
    operators: Operators;
    overrides?: () => readonly Override[];
  }) {
    this.escalation = input.escalation;
    this.#layers = input.layers;
    this.#operators = input.operators;
    this.#overrides = input.overrides ?? (() => []);
  }

  get hasRota(): boolean {
    return this.#layers.length > 0;
  }

  onDuty(at: EpochMs): OnDuty[] {
    return this.#layers.flatMap((layer) => onDutyAt(layer, this.#overrides(), at) ?? []);
  }

  coming(at: EpochMs, limit: number): Array<{ layer: string; user: UserId; from: EpochMs }> {
    return comingHandoffs(this.#layers, this.#overrides(), at, limit);
  }

  /** Whom the step of this level calls. */
  audience(level: number, at: EpochMs): UserId[] {
    return audienceOf(stepOf(this.escalation, level).notify, this.onDuty(at), this.#operators.list());
  }
}
