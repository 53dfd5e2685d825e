import type { EpochMs } from './clock.ts';

/** Who acts for the bot's account. The highest epoch does; of two that took the same, the one that is written down. */
export type Tenure = {
  epoch: number;
  /** Random, of one process. */
  holder: string;
  /** Where it runs, for people. */
  host: string;
  /** When the holder was last known to be there. */
  at: EpochMs;
};

/** Where every copy of the bot sees the same, whatever machine and memory it has. */
export interface TenureRecord {
  read(): Promise<Tenure | undefined>;
  write(tenure: Tenure): Promise<void>;
}
