import type { UserId } from './accounts.ts';
import type { Json } from './canonical.ts';
import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';
import type { Proof } from './inbox.ts';
import type { RoomId } from './rooms.ts';

export const openRunStates = ['asking', 'waiting', 'running', 'stopping'] as const;
export const endedRunStates = [
  'done',
  'partial',
  'failed',
  'refused',
  'denied',
  'expired',
  'cancelled',
  'conflict',
  'interrupted',
] as const;
export type RunState = (typeof openRunStates)[number] | (typeof endedRunStates)[number] | 'taken';

// ledger.md, "Lives". `interrupted` may be continued.
const next: Record<RunState, readonly RunState[]> = {
  taken: ['asking', 'waiting', 'running', 'refused', 'cancelled'],
  asking: ['waiting', 'refused', 'expired', 'cancelled'],
  waiting: ['running', 'refused', 'denied', 'expired', 'cancelled', 'conflict', 'interrupted'],
  running: ['done', 'partial', 'failed', 'stopping', 'interrupted'],
  stopping: ['cancelled', 'partial', 'done', 'failed', 'interrupted'],
  interrupted: ['waiting', 'partial'],
  done: [],
  partial: [],
  failed: [],
  refused: [],
  denied: [],
  expired: [],
  cancelled: [],
  conflict: [],
};

/** Who is touched by a plan, as the policy has to know it. */
export type TouchedUser = { user: UserId; admin?: boolean; appService?: boolean };
export type Touches = {
  users?: TouchedUser[];
  rooms?: RoomId[];
  /** Anything else that two runs must not touch at once: `backup`, `service:synapse`. */
  things?: string[];
};

export type Where = { room: RoomId; thread: string | undefined; event: string | undefined };

/** One asked-for change, from the moment it was understood to its end. */
export type Run = {
  id: number;
  rev: number;
  site: string;
  /** The key of the inbox item it came from. */
  key: string;
  actor: UserId;
  proof: Proof;
  command: string;
  args: { [key: string]: Json };
  /** Hash of the plan's JSON Schema and the step keys: another shape after an upgrade can't be resumed. */
  shape: string;
  plan: Json;
  planHash: string;
  touches: Touches;
  state: RunState;
  /** What is to be said of it: the error, what is left. */
  reason: string | undefined;
  where: Where | undefined;
  undoOf: number | undefined;
  /** Why it goes without the second person that it needs. */
  breakGlass: string | undefined;
  /** The outbox row of its one progress message. */
  message: number | undefined;
  madeAt: EpochMs;
  deadlineAt: EpochMs | undefined;
  begunAt: EpochMs | undefined;
  endedAt: EpochMs | undefined;
  build: string;
};

export type StepState = 'begun' | 'done' | 'failed' | 'skipped' | 'unknown';
export type Step = {
  run: number;
  key: string;
  attempt: number;
  state: StepState;
  /** For a step over many items: how many are behind it. */
  cursor: number;
  total: number | undefined;
  /** The step's result, at most 4 KB of JSON; what must not be stored is made again. */
  kept: Json | undefined;
  error: string | undefined;
  begunAt: EpochMs;
  endedAt: EpochMs | undefined;
};

export const runName = (id: number): string => `r${id}`;
/** `r1042` or `1042`. Throws `invalid`. */
export function parseRunName(text: string): number {
  const match = /^r?(\d{1,12})$/i.exec(text);
  if (!match)
    throw new OpsError('invalid', `"${text}" is not a run.`, { hint: 'Runs look like r1042; !runs lists them.' });
  return Number(match[1]);
}

/** The run in its next state, one revision on. Throws `internal` for a step that life doesn't allow. */
export function advance(run: Run, state: RunState, set: Partial<Run> = {}): Run {
  if (!next[run.state].includes(state)) {
    throw new OpsError('conflict', `Run ${runName(run.id)} is ${run.state}, so it can't become ${state}.`);
  }
  return { ...run, ...set, state, rev: run.rev + 1 };
}

export const hasEnded = (run: Run): boolean => (endedRunStates as readonly string[]).includes(run.state);

/** The words of `org.opsroom.outcome`. */
export function outcomeOf(state: RunState): 'done' | 'refused' | 'failed' | 'partial' | 'waiting' {
  if (state === 'done') return 'done';
  if (state === 'failed') return 'failed';
  if (state === 'partial' || state === 'interrupted') return 'partial';
  if (['refused', 'denied', 'expired', 'cancelled', 'conflict'].includes(state)) return 'refused';
  return 'waiting';
}

/** What two runs may not hold at the same time. */
export function locksOf(touches: Touches): string[] {
  return [
    ...(touches.users ?? []).map((touched) => `user:${touched.user}`),
    ...(touches.rooms ?? []).map((room) => `room:${room}`),
    ...(touches.things ?? []),
  ];
}
