import type { Json } from '#domain/canonical.ts';
import { OpsError } from '#domain/errors.ts';

/** A command that runs by itself. A file in `src/jobs` holds one; its name is the job's. */
export type Job = {
  /** In the words of a person: "daily report". */
  title: string;
  command: string;
  args: { [key: string]: Json };
  /** A cron line in the bot's zone, or the setting that holds one (or `off`). */
  when: string | { setting: string };
  /** An earlier run is still open: leave this slot out, or run after it. */
  overlap: 'skip' | 'queue';
  /** Due while the bot was down: made up for if younger than half a period, or left out. */
  missed: 'catch-up' | 'skip';
};
export type NamedJob = Omit<Job, 'when'> & { name: string; cron: string };

export const defineJob = (job: Job): Job => job;

/** The jobs with their times from the settings; without those that are off. Throws `internal` for a setting nobody gave. */
export function timedJobs(
  jobs: ReadonlyMap<string, Job>,
  settings: Readonly<Record<string, string | undefined>>,
): NamedJob[] {
  return [...jobs].flatMap(([name, { when, ...job }]) => {
    const cron = typeof when === 'string' ? when : settings[when.setting];
    if (cron === undefined && typeof when !== 'string' && !(when.setting in settings)) {
      throw new OpsError('internal', `The job ${name} waits for the setting ${when.setting}, which nobody gives.`);
    }
    return cron === undefined || cron === 'off' ? [] : [{ ...job, name, cron }];
  });
}
