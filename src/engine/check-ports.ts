import type { BackupStore } from '#domain/backups.ts';
import type { CallServer } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import type { MetricsSource } from '#domain/metrics.ts';
import type {
  CallServerProbe,
  Certificates,
  DatabaseStats,
  Disks,
  HomeserverProbe,
  RoundTrip,
} from '#domain/probes.ts';
import type { SafeMode } from '#domain/safe-mode.ts';

/** Everything a check may be given. It gets only what it declares in `needs` and `wants`. */
export type CheckPorts = {
  homeserver: HomeserverProbe;
  roundTrip: RoundTrip;
  synapseMetrics: MetricsSource;
  callServer: CallServerProbe;
  calls: CallServer;
  livekitMetrics: MetricsSource;
  database: DatabaseStats;
  disks: Disks;
  certificates: Certificates;
  backups: BackupStore;
  safeMode: SafeMode;
  clock: Clock;
};
export type CheckPortName = Exclude<keyof CheckPorts, 'clock'>;

/** The ports of one site. What is off is missing, and a check that needs it isn't run: off is not down. */
export type SiteCheckPorts = Partial<CheckPorts> & Pick<CheckPorts, 'clock'>;
