import type { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { Proof } from '#domain/inbox.ts';
import type { Need } from '#domain/prompts.ts';
import type { Line, Reply } from '#domain/messages.ts';
import type { Role } from '#domain/operators.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Touches } from '#domain/runs.ts';
import type { PortName, Ports } from './ports.ts';

export type PortsOf<N extends PortName, W extends PortName> = Pick<Ports, N | 'bot' | 'clock'> &
  Partial<Pick<Ports, W>>;

/** Who asks, from where, and until when the answer is wanted. */
export type Caller = {
  user: UserId;
  role: Role | undefined;
  /** How sure it is that they asked. */
  proof: Proof;
  room: RoomId | undefined;
  /** The thread in which it was said; in an alert's thread, that is the alert. */
  thread: string | undefined;
  at: EpochMs;
  /** Of the message: the same one, met again after a crash, has the same. */
  key?: string;
  signal: AbortSignal;
};

type Common<A extends z.ZodObject, N extends PortName, W extends PortName> = {
  summary: string;
  /** Without prefix and name. Each must parse: a test sees to it. */
  examples: string[];
  args: A;
  /** The order in which arguments stand without their name; the others are flags. */
  positional?: Array<keyof z.infer<A> & string>;
  /** The least role that may call it; undefined: anyone in the room. */
  role?: Role;
  needs?: readonly N[];
  /** Undefined in `ports` when that part is off. */
  wants?: readonly W[];
  /** Goes on while changes are paused. */
  runsPaused?: boolean;
};

export type QueryDefinition<A extends z.ZodObject, N extends PortName, W extends PortName, D> = Common<A, N, W> & {
  answer(args: z.infer<A>, ports: PortsOf<N, W>, caller: Caller): D | Promise<D>;
  /** When it stands for another command: that one's line, carried as if its sender had typed it. */
  becomes?(data: D): { line: string; undoOf: number };
  view(data: D, args: z.infer<A>, ports: Pick<Ports, 'bot' | 'clock'>): Reply;
};

/** What happens to a step when it is met again after a crash. `look`: its own probe decides; `never`: the run ends. */
export type Again = 'safe' | 'look' | 'never';
export type StepDefinition = {
  title: string;
  again: Again;
  /** False: the result is never stored and the step is done again on resume. */
  keep?: boolean;
};

export type EachResult<T> = { failed: Array<{ item: T; why: string }> };

/** For a step with `again: 'look'` that a crash cut off: was it done after all, since it was first begun? */
export type Look<T> = (signal: AbortSignal, begunAt: EpochMs) => Promise<{ done: true; value: T } | { done: false }>;

/** The hands of `apply`: nothing is done outside a step. */
export interface RunHands<S extends string> {
  readonly id: number;
  readonly signal: AbortSignal;
  readonly actor: UserId;
  /** The other human who said yes, where two were needed. */
  readonly approver: UserId | undefined;
  /** Does it once; after a crash a finished step gives back what it kept. Throws when it fails. */
  step<T>(key: S, act: (signal: AbortSignal) => Promise<T>, options?: { look?: Look<T> }): Promise<T>;
  /**
   * As `step`, but a failure is noted and the run goes on; it ends as `partial`. For what must not hold up the steps
   * after it. Gives undefined when it failed.
   */
  attempt<T>(key: S, act: (signal: AbortSignal) => Promise<T>): Promise<T | undefined>;
  /** Over many items, `parallel` at a time, with a stored cursor. Failures are collected and make the run `partial`. */
  each<T>(
    key: S,
    items: readonly T[],
    act: (item: T, signal: AbortSignal) => Promise<void>,
    options?: { parallel?: number; name?: (item: T) => string },
  ): Promise<EachResult<T>>;
  skip(key: S, why: string): void;
  progress(done: number, total: number | undefined, what?: string): void;
  /** Shown with the result. */
  say(line: Line): void;
  /** A ready command, shown with the result. */
  offer(text: string, command: string): void;
}

export type Prepared<P, F> = { plan: P; facts: F; touches: Touches };

export type ChangeDefinition<
  A extends z.ZodObject,
  N extends PortName,
  W extends PortName,
  P extends z.ZodType,
  F,
  S extends string,
> = Common<A, N, W> & {
  confirm: 'none' | Need;
  /** The least role of the second person; the command's own by default. */
  approver?: Role;
  undo: 'fully' | 'partly' | 'none';
  /** JSON only: what the confirmation is bound to. */
  plan: P;
  /** After a crash in `apply`: go on from the recorded steps, begin again, or only report. */
  afterCrash: 'resume' | 'restart' | 'report';
  steps: Record<S, StepDefinition>;
  /** Reads only. Facts are shown and may move; the plan may not. */
  prepare(
    args: z.infer<A>,
    ports: PortsOf<N, W>,
    caller: Caller,
  ): Promise<Prepared<z.infer<P>, F>> | Prepared<z.infer<P>, F>;
  describe(plan: z.infer<P>, facts: F, ports: Pick<Ports, 'bot' | 'clock'>): Reply;
  apply(plan: z.infer<P>, ports: PortsOf<N, W>, run: RunHands<S>): Promise<Reply>;
  /**
   * After a crash that is not resumed: starts again what must not stay stopped. Reads `done` steps, repeats nothing, and
   * says in a line what it did.
   */
  makeSafe?(plan: z.infer<P>, ports: PortsOf<N, W>, run: { done(key: S): boolean }): Promise<Line | undefined>;
  /** The command that undoes it, ready to type. */
  inverse?(plan: z.infer<P>): string;
};

export type Query = { kind: 'query' } & QueryDefinition<z.ZodObject, PortName, PortName, unknown>;
export type ChangeCommand = { kind: 'change' } & ChangeDefinition<
  z.ZodObject,
  PortName,
  PortName,
  z.ZodType,
  unknown,
  string
>;
export type Command = Query | ChangeCommand;

// The two casts forget the parameters that only the declaration itself needs; the door passes back what `args` parsed.
export function defineQuery<
  const A extends z.ZodObject,
  const N extends PortName = never,
  const W extends PortName = never,
  D = unknown,
>(definition: QueryDefinition<A, N, W, D>): Query {
  return { kind: 'query', ...definition } as unknown as Query;
}

export function defineChange<
  const A extends z.ZodObject,
  P extends z.ZodType,
  F,
  const S extends string,
  const N extends PortName = never,
  const W extends PortName = never,
>(definition: ChangeDefinition<A, N, W, P, F, S>): ChangeCommand {
  return { kind: 'change', ...definition } as unknown as ChangeCommand;
}
