import type { EpochMs } from './clock.ts';

/**
 * What a probe of an address found. `refused`: the machine answered, nothing listens there, so the part is down. All
 * else that gives no answer (time-out, no route, no such name) is thrown as `unavailable`: nobody knows.
 */
export type Answer =
  | { kind: 'answered'; status: number; text: string; tookMs: number }
  | { kind: 'refused'; tookMs: number };

export type Endpoint = (signal: AbortSignal) => Promise<Answer>;

/** The homeserver as seen from outside. */
export interface HomeserverProbe {
  /** `GET /health`: the process lives. It says OK with its database stopped. */
  health: Endpoint;
  /** `GET /_matrix/client/versions`. */
  versions: Endpoint;
  /** A read that has to go to its database. Throws `unavailable` when Synapse can't; undefined without an admin token. */
  database: (() => Promise<{ latencyMs: number }>) | undefined;
}

/** LiveKit's `GET /`: 200 ready, 406 its node statistics stand still. */
export interface CallServerProbe {
  health: Endpoint;
}

/**
 * From sending in a private room to seeing it in one's own sync: what people wait for. `seen` false: given up after
 * `totalMs`, the true value is higher.
 */
export type RoundTripTime = { sendMs: number; totalMs: number; seen: boolean };
export interface RoundTrip {
  /** Throws when it couldn't be sent. */
  measure(giveUpMs: number, signal: AbortSignal): Promise<RoundTripTime>;
}

export type DatabaseReading =
  | {
      kind: 'answered';
      /** Of a `SELECT 1`. */
      tookMs: number;
      connections: number;
      /** Without those kept for superusers. */
      maxConnections: number;
      databaseBytes: number;
    }
  | { kind: 'refused'; why: string };
export interface DatabaseStats {
  /** Throws `unavailable` or `misconfigured` when nobody knows. */
  read(signal: AbortSignal): Promise<DatabaseReading>;
}

export type DiskUsage = {
  /** The same for two paths on one file system. */
  device: string;
  /** Free for an ordinary user. */
  freeBytes: number;
  totalBytes: number;
};
export interface Disks {
  paths: readonly string[];
  usage(path: string): Promise<DiskUsage>;
}

export type CertificateReading = {
  validUntil: EpochMs;
  /** Why a client would refuse it now; undefined when it wouldn't. */
  refusedBecause: string | undefined;
};
export interface Certificates {
  /** `host:port`, each of an https address of the settings. */
  hosts: readonly string[];
  read(host: string, signal: AbortSignal): Promise<CertificateReading>;
}
