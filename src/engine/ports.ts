import type { Accounts, SessionsDatabase } from '#domain/accounts.ts';
import type { AuditLog } from '#domain/audit-log.ts';
import type { Backups } from '#domain/backups.ts';
import type { Approvals, BotInfo, Catalogue, Queues, Runs, Switches } from '#domain/bot.ts';
import type { CallServer } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import type { Operators } from '#domain/operators.ts';
import type { Readings } from '#domain/readings.ts';
import type { Rooms } from '#domain/rooms.ts';
import type { Roster } from '#domain/roster.ts';
import type { UserId } from '#domain/accounts.ts';
import type { IncidentDesk } from '#domain/incident-desk.ts';
import type { Encryption } from '#domain/encryption.ts';
import type { Health } from '#domain/health.ts';
import type { Hold, TakenAway } from '#domain/ledger.ts';
import type { Reports } from '#domain/reports.ts';
import type { SafeMode } from '#domain/safe-mode.ts';
import type { Tokens } from '#domain/tokens.ts';

/** What was taken from people and is kept from them. */
export interface Takings {
  remember(taken: TakenAway): void;
  find(user: UserId): TakenAway | undefined;
  returned(user: UserId): void;
  hold(hold: Hold): void;
  release(user: UserId): void;
  held(): Hold[];
}

/** Where a new credential is left for the operator: a file of mode 0600, never a message. */
export interface Handover {
  /** Gives the path. The same name again overwrites. */
  put(name: string, content: string): Promise<string>;
}

/** Everything a command may be given. It gets only what it declares in `needs` and `wants`. */
export type Ports = {
  accounts: Accounts;
  rooms: Rooms;
  calls: CallServer;
  roster: Roster;
  backups: Backups;
  operators: Operators;
  readings: Readings;
  health: Health;
  incidents: IncidentDesk;
  reports: Reports;
  takings: Takings;
  sessions: SessionsDatabase;
  handover: Handover;
  runs: Runs;
  approvals: Approvals;
  catalogue: Catalogue;
  switches: Switches;
  queues: Queues;
  safeMode: SafeMode;
  audit: AuditLog;
  encryption: Encryption;
  tokens: Tokens;
  bot: BotInfo;
  clock: Clock;
};
export type PortName = keyof Ports;

/** The ports of one site; a part that is off is missing, which isn't the same as down. */
export type SitePorts = Partial<Ports> &
  Pick<Ports, 'bot' | 'clock' | 'operators' | 'runs' | 'catalogue' | 'switches'> & {
    /** The account of the admin token, once it is known. */
    adminUser?: () => UserId | undefined;
  };
