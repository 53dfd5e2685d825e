import type { Retention } from '#domain/backups.ts';
import type { Clock } from '#domain/clock.ts';
import type { ScratchSettings } from './scratch.ts';
import type { DatabaseAddress } from './session.ts';

export type BackupSettings = {
  postgres: DatabaseAddress & { binDir?: string; scratch?: ScratchSettings };
  /** Where the sets lie; made when it is missing. */
  directory: string;
  /** The bot's own version, for the manifest. */
  build: string;
  clock: Clock;
  verifies?: 'each' | 'never';
  /** 30 days, at least 3 verified ones. */
  retention?: Retention;
  /** A backup doesn't start with less free than this; 1 GiB. */
  floorBytes?: number;
};
