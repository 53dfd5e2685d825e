import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { parseCron } from '#domain/cron.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import type { Ledger, Slot } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import { formatMoment } from '#domain/moment.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import { openRunStates } from '#domain/runs.ts';
import { dueSlots, nextSlot, periodAfter, type Schedule } from '#domain/slots.ts';
import type { NamedJob } from './job.ts';
import { say } from './speak.ts';

export type SchedulerOptions = {
  site: string;
  room: RoomId;
  timezone: string;
  /** In whose name jobs run: the bot itself. */
  sender: UserId;
  jobs: readonly NamedJob[];
  ledger: Ledger;
};

export type ComingSlot = { job: string; title: string; at: EpochMs };

const stream = 'schedule';
// A bell that rings late by a busy event loop is not a slot missed.
const graceMs = 120_000;
// The clock may be set back by this much (daylight saving done wrong, a bad time server) without a new beginning.
const jumpMs = 3 * 3_600_000;
// After a long time down the rest would only be a longer list of the same.
const lookBackMs = 31 * 86_400_000;

type Fate = { job: NamedJob; dueAt: EpochMs; state: 'taken' | 'missed' | 'skipped' };

/**
 * What is due since the stored position enters the inbox, with a key of job and slot: unique there, so a slot runs once
 * however often it is found. Depends on no clock: who rings the bell says what time it is.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #schedules: ReadonlyMap<string, Schedule>;

  /** Throws `invalid` for a cron line that can't be read. */
  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#schedules = new Map(
      options.jobs.map(({ name, cron }) => [name, { cron: parseCron(cron), timezone: options.timezone }]),
    );
  }

  /** To be called at the start and every minute. Gives the number of commands that were put in. */
  onMinute(now: EpochMs): number {
    const { ledger, jobs } = this.#options;
    const stored = ledger.position(stream);
    const position = stored === undefined ? now : Number(stored);
    // Set back a little: what was done stays done, and nothing is due until the clock is there again. Set back far, the
    // clock was wrong before; waiting for that time to come would be a silence of years.
    if (position > now && position - now <= jumpMs) return 0;
    const after = position > now ? now : Math.max(position, now - lookBackMs);
    const fates = jobs.flatMap((job) => this.#fates(job, dueSlots(this.#schedule(job), after, now), now));
    // First the fates, then the position with the items: after a crash between them the taken ones are found again.
    if (fates.length > 0) {
      const slots = fates.map(({ job, dueAt, state }): Slot => ({ job: job.name, dueAt, state, run: undefined }));
      ledger.commit({ at: now, slots, outbox: this.#leftOut(fates, now) });
    }
    const items = fates.filter(({ state }) => state === 'taken').map((fate) => this.#item(fate, now));
    return ledger.take({ stream, position: String(now), items, rooms: [] }).length;
  }

  /** What comes next, soonest first. */
  coming(now: EpochMs): ComingSlot[] {
    return this.#options.jobs
      .flatMap((job) => {
        const at = nextSlot(this.#schedule(job), now);
        return at === undefined ? [] : [{ job: job.name, title: job.title, at }];
      })
      .toSorted((a, b) => a.at - b.at);
  }

  #fates(job: NamedJob, due: readonly EpochMs[], now: EpochMs): Fate[] {
    const [first] = due;
    if (first === undefined) return [];
    const settled = this.#options.ledger.slots(job.name, first).filter(({ state }) => state !== 'taken');
    const open = due.filter((dueAt) => !settled.some((slot) => slot.dueAt === dueAt));
    return open.map((dueAt, index): Fate => {
      if (index < open.length - 1 || this.#tooOld(job, dueAt, now)) return { job, dueAt, state: 'missed' };
      return { job, dueAt, state: job.overlap === 'skip' && this.#isOpen(job) ? 'skipped' : 'taken' };
    });
  }

  #tooOld(job: NamedJob, dueAt: EpochMs, now: EpochMs): boolean {
    const lateMs = now - dueAt;
    if (lateMs <= graceMs) return false;
    return job.missed === 'skip' || lateMs >= periodAfter(this.#schedule(job), dueAt) / 2;
  }

  #isOpen(job: NamedJob): boolean {
    return this.#options.ledger.runsBy({ states: openRunStates, command: job.command, limit: 1 }).length > 0;
  }

  #schedule(job: NamedJob): Schedule {
    const schedule = this.#schedules.get(job.name);
    if (schedule === undefined) throw new Error(`no schedule for ${job.name}`);
    return schedule;
  }

  #item({ job, dueAt }: Fate, now: EpochMs): NewInboxItem {
    const { site, room, sender } = this.#options;
    return {
      source: 'schedule',
      key: `${job.name}@${dueAt}`,
      site,
      room,
      thread: undefined,
      sender,
      device: undefined,
      proof: 'internal',
      body: { kind: 'command', command: job.command, args: job.args },
      sentAt: dueAt,
      takenAt: now,
    };
  }

  /** What is said in the room of the slots that were left out. */
  #leftOut(fates: readonly Fate[], at: EpochMs): NewOutboxRow[] {
    const { ledger, room, site, timezone } = this.#options;
    const left = fates.filter(({ state }) => state !== 'taken');
    const jobs = [...new Set(left.map(({ job }) => job))];
    if (jobs.length === 0) return [];
    const lines = jobs.map((job) => {
      const of = left.filter((fate) => fate.job === job);
      const last = formatMoment(of.at(-1)?.dueAt ?? at, timezone, at);
      const why = of.at(-1)?.state === 'skipped' ? 'the one before was still running' : 'the bot was not running';
      return `${job.title}: ${of.length === 1 ? last : `${of.length} times, last ${last}`}, ${why}`;
    });
    const reply: Reply = {
      title: `Not run: ${jobs.map((job) => job.title).join(', ')}`,
      verdict: 'warning',
      blocks: [{ kind: 'list', items: lines }],
      offers: jobs.map((job) => ({ text: `${job.title} now`, command: job.command })),
    };
    const where = { room, thread: undefined, event: undefined };
    const about = { kind: 'notice', id: `schedule@${at}` } as const;
    return [say(ledger, { site, where, lane: 'schedule', about, at }, reply, { kind: 'notice' })];
  }
}
