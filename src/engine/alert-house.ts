import type { AlertPace } from '#domain/alert-budget.ts';
import type { TextContext } from '#domain/alert-text.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { LifeRules } from '#domain/incident-life.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Operators } from '#domain/operators.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { OnCall } from './on-call.ts';

/** What the parts of the alerter stand on. */
export type AlertHouse = {
  ledger: Ledger;
  clock: Clock;
  operators: Operators;
  onCall: OnCall;
  /** Where alerts are said. */
  room: RoomId;
  site: string;
  timezone: string;
  prefix: string;
  ackTimeoutMs: number;
  rules: LifeRules;
  pace: AlertPace;
};

export const textOf = (house: AlertHouse, now: EpochMs): TextContext => ({
  timezone: house.timezone,
  prefix: house.prefix,
  now,
});
