import type { BotInfo } from '#domain/bot.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { say } from '#engine/speak.ts';

// A key that comes at all comes within moments.
const patienceMs = 30_000;
const onceInMs = 3_600_000;
const told = 'told-unreadable';

/** Answers a message that stays unreadable: silence would look like a dead bot. Once an hour for each sender. */
export function tellUnreadable(ledger: Ledger, bot: BotInfo, clock: Clock): void {
  const sealed = ledger.sealedHeads();
  if (sealed.length === 0) return;
  const now = clock.now();
  const before = (ledger.switch(told) ?? {}) as { [sender: string]: EpochMs };
  const joined = new Set<string>(ledger.roomFacts(bot.opsRoom)?.joined);
  for (const { key, sender, takenAt } of sealed) {
    const last = before[sender] ?? -Infinity;
    if (takenAt <= last || now - last < onceInMs || now - takenAt < patienceMs || !joined.has(sender)) continue;
    const item = ledger.inboxItem(key);
    if (item?.room === undefined) continue;
    before[item.sender] = now;
    const where = { room: item.room, thread: item.thread, event: item.key };
    const about = { kind: 'inbox' as const, id: item.id };
    const address = { site: item.site, where, lane: `inbox-${item.id}`, about, at: now };
    const message = say(ledger, address, reply(item), { kind: 'notice' });
    const recent = Object.entries(before).filter(([, at]) => now - at < onceInMs);
    ledger.commit({ at: now, outbox: [message], switches: [{ name: told, value: Object.fromEntries(recent) }] });
  }
}

function reply(item: InboxItem): Reply {
  const why = item.body.kind === 'sealed' ? item.body.why : '';
  return {
    title: '⚠️ I cannot read this message: its key has not come to my device. Nothing was done.',
    blocks: [{ kind: 'text', lines: [cureOf(why), 'If it was a command, please send it again.'] }],
  };
}

function cureOf(why: string): Line {
  if (why === 'withheld:m.unverified' || why === 'withheld:m.no_olm') {
    return 'Your client keeps its keys from devices that you have not verified: verify me, or allow unverified devices in this room.';
  }
  if (why.startsWith('withheld:')) return 'Your client says that it will not give me its key.';
  return 'This happens when your client had not heard of my device yet. The next message usually brings the key.';
}
