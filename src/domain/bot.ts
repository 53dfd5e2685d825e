import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { RoomId } from './rooms.ts';
import type { Proof } from './inbox.ts';
import type { Need, Prompt } from './prompts.ts';
import type { Role } from './operators.ts';
import type { Run, Step } from './runs.ts';

/** What the bot knows of itself. */
export type BotInfo = {
  user: UserId;
  opsRoom: RoomId;
  site: string;
  prefix: string;
  timezone: string;
  version: string;
  startedAt: EpochMs;
  /** Parts that are switched off by the settings, and the setting that switches each on. */
  off: Array<{ part: string; setting: string; port?: string }>;
};

/** Who asks for something about a run, and where. */
export type Asked = { user: UserId; proof: Proof; room: RoomId | undefined; thread: string | undefined; key?: string };

/** Runs as commands see them; the engine implements it. */
export interface Runs {
  /** `titles`: what its steps are called, by their keys. */
  find(id: number): { run: Run; steps: Step[]; titles: { [key: string]: string } } | undefined;
  recent(filter: { limit: number; open?: boolean }): Run[];
  /** Asks a run to stop at its next step, or ends a waiting one. Throws `conflict` when it has ended. */
  cancel(id: number, by: UserId): Run;
  /** Asks whether an interrupted run shall go on from its last step. Throws `notFound`, `denied` or `conflict`. */
  resume(id: number, asked: Asked): Run;
  /** Leaves an interrupted run as it is. Throws `notFound` or `conflict`. */
  abandon(id: number, by: UserId): Run;
  /** The line that undoes a run. Throws `notFound` or `conflict`. */
  undoing(id: number): string;
}

/** `able`: who could say yes now. */
export type OpenQuestion = { prompt: Prompt; run: Run; able: UserId[] };

/** Open questions; the engine implements it. */
export interface Approvals {
  open(): OpenQuestion[];
  /** Those that this person could answer. */
  answerable(voter: UserId, proof: Proof): OpenQuestion[];
  /**
   * Throws `notFound`, `denied` or `conflict`. Gives the run that goes on or ends by it. The same `key` is the same vote,
   * met again after a crash.
   */
  vote(code: string, voter: UserId, verdict: 'approve' | 'deny', proof: Proof, key?: string): Promise<Run>;
}

export type CommandInfo = {
  name: string;
  summary: string;
  usage: string;
  args: Array<{ name: string; kind: string; required: boolean; flag: boolean; summary: string }>;
  examples: string[];
  role: Role | undefined;
  change: boolean;
  confirm: 'none' | Need;
  undo: 'fully' | 'partly' | 'none' | undefined;
  /** Why it can't run now: the part it needs is off. */
  off: string | undefined;
};

/** What can be typed; the engine implements it. */
export interface Catalogue {
  list(): CommandInfo[];
  find(name: string): CommandInfo | undefined;
  /** The nearest names, best first. */
  near(name: string): string[];
}

export type Pause = { by: UserId; reason: string; since: EpochMs };
export interface Switches {
  paused(): Pause | undefined;
  setPaused(pause: Pause | undefined): void;
}

/** How much is waiting: to be handled, and to be said. */
export interface Queues {
  depth(): { inbox: number; outbox: number; oldestOutboxMs: number | undefined };
}
