import { formatDuration } from '#domain/duration.ts';
import type { InboxItem } from '#domain/inbox.ts';
import { judgeLateness } from '#domain/lateness.ts';
import type { Line } from '#domain/messages.ts';
import type { Door } from './door.ts';
import type { House } from './house.ts';
import { typedLine } from './parse.ts';
import { laneOf, say } from './speak.ts';

// What came in while the bot was away is looked at as one, so that one message can name it all.
const mostListed = 2000;

/**
 * Changes that were sent too long before the bot came back are not run: one message lists them, and whoever still wants
 * one types it again. True when there were any.
 */
export function listLate(
  house: House,
  door: Door,
  newest: readonly InboxItem[],
  busy: (id: number) => boolean,
): boolean {
  const now = house.clock.now();
  const isLate = (item: InboxItem): boolean => judgeLateness(item, now).verdict === 'list' && !busy(item.id);
  if (!newest.some(isLate)) return false;
  const late = house.ledger
    .newItems(mostListed)
    .filter(isLate)
    .flatMap((item) => {
      const typed = door.changes(item);
      return typed ? [{ item, typed }] : [];
    });
  const [first] = late;
  if (first === undefined) return false;
  const { bot } = house.ports(first.item.site);
  const lines = late.map(({ item, typed }): Line => [
    `${item.sender}, ${formatDuration(judgeLateness(item, now).lateMs)} ago: `,
    { code: house.settings.prefix + typedLine(typed.name, typed.command, typed.args) },
  ]);
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const about = { kind: 'inbox' as const, id: first.item.id };
  const address = { site: first.item.site, where, lane: laneOf(`late:${first.item.id}`), about, at: now };
  const one = late.length === 1;
  const reply = {
    title: `While I was down, ${one ? 'a change was' : `${late.length} changes were`} typed that ${one ? 'is' : 'are'} too old to run now. Nothing of ${one ? 'it' : 'them'} was done:`,
    blocks: [
      { kind: 'list' as const, items: lines },
      { kind: 'text' as const, lines: ['Type again what is still wanted.'] },
    ],
  };
  house.ledger.commit({
    at: now,
    inbox: late.map(({ item }) => ({ id: item.id, state: 'done' })),
    outbox: [say(house.ledger, address, reply, { kind: 'notice', outcome: 'refused' })],
    audit: late.map(({ item, typed }) => ({
      at: now,
      actor: item.sender,
      site: item.site,
      run: undefined,
      incident: undefined,
      act: typed.name,
      outcome: 'too late',
      detail: { key: item.key, args: typed.args },
    })),
  });
  return true;
}
