import { OpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { House } from './house.ts';
import { type Address, react, signAbout, signOfLife } from './speak.ts';

/** What takes longer than this shows that it is being worked on. */
export const signOfLifeMs = 300;

const longestMs = 60_000;

/** The work, or `unavailable` when it doesn't come to an end: a hung part must not keep its caller waiting. */
export async function inTime<T>(house: House, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = house.clock.sleep(longestMs, timer.signal).then(() => {
    throw new OpsError('unavailable', 'It took longer than a minute and was given up.', {
      hint: '!health shows which part hangs.',
    });
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

/**
 * Waits for the work and meanwhile, when it takes longer than a moment, sets ⏳ on the command. Gives the sign's row, to be
 * taken back with the answer or the refusal.
 */
export async function withSign<T>(
  house: House,
  address: () => Address,
  item: InboxItem,
  unlimited: Promise<T>,
): Promise<{ result: T; sign: number | undefined }> {
  const { clock, ledger } = house;
  const work = inTime(house, unlimited);
  work.catch(() => {});
  if (item.source !== 'matrix') return { result: await work, sign: undefined };
  const timer = new AbortController();
  const slow = clock.sleep(signOfLifeMs, timer.signal).then(
    () => 'slow' as const,
    () => 'stopped' as const,
  );
  let sign = signAbout(ledger, address().about);
  try {
    const first = await Promise.race([work.then(() => 'done' as const), slow]);
    if (first === 'slow' && sign === undefined) {
      const row = react(ledger, address(), signOfLife, { event: item.key });
      sign = row.id;
      ledger.commit({ at: clock.now(), outbox: [row] });
    }
    return { result: await work, sign };
  } finally {
    timer.abort();
  }
}
