import type { InboxItem } from '#domain/inbox.ts';
import type { House } from './house.ts';
import { type Address, react, signAbout, signOfLife, takeBack } from './speak.ts';

/** What takes longer than this shows that it is being worked on. */
export const signOfLifeMs = 300;

/**
 * Waits for the work and meanwhile, when it takes longer than a moment, sets ⏳ on the command. Gives the sign's row, to be
 * taken back with the answer; takes it back itself when the work fails.
 */
export async function withSign<T>(
  house: House,
  address: () => Address,
  item: InboxItem,
  work: Promise<T>,
): Promise<{ result: T; sign: number | undefined }> {
  const { clock, ledger } = house;
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
  } catch (error) {
    if (sign !== undefined) ledger.commit({ at: clock.now(), outbox: [takeBack(ledger, address(), sign)] });
    throw error;
  } finally {
    timer.abort();
  }
}
