import type { Json } from '#domain/canonical.ts';
import type { InboxItem, NewInboxItem } from '#domain/inbox.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import { itemOf, type ItemContext, type MatrixEvent, sentAt, threadOf } from '../events.ts';
import { parseUserId } from '#domain/accounts.ts';
import { type Heard, type Opening, read } from './unwrap.ts';

/** Where sealed items lie. */
export type SealedStore = {
  sealedItems(): InboxItem[];
  unseal(id: number, item: NewInboxItem | undefined): InboxItem | undefined;
};

/** What can't be read, as an item that waits for its key. A copy of another event is nothing that anybody said. */
export function sealedItemOf(
  { event, sealed }: Extract<Heard, { sealed: object }>,
  { site, room, bot, takenAt }: ItemContext,
  log: Log,
): NewInboxItem | undefined {
  const { event_id: key, sender } = event;
  if (sealed.why === 'copy') {
    log.warn({ event: key, sender }, 'an encrypted message came twice under different names; the copy is left alone');
    return undefined;
  }
  if (key === undefined || sender === undefined || sender === bot) return undefined;
  log.info({ event: key, sender, why: sealed.why }, 'a message cannot be read yet');
  try {
    return {
      source: 'matrix',
      key,
      site,
      room,
      thread: threadOf(event),
      sender: parseUserId(sender),
      device: undefined,
      proof: 'unsigned-device',
      body: { kind: 'sealed', session: sealed.session, why: sealed.why, event: event as Json },
      sentAt: sentAt(event, takenAt),
      takenAt,
    };
  } catch {
    return undefined; // an id that nobody can have
  }
}

/** Reads what was sealed and has its key now. Gives what is to be handled. */
export async function retrySealed(
  cipher: Opening,
  by: {
    store: SealedStore;
    room: RoomId;
    context: ItemContext;
    wanted(item: NewInboxItem): boolean;
    isOpen: (session: string) => boolean;
  },
): Promise<InboxItem[]> {
  const readable: Array<{ item: InboxItem; said: NewInboxItem | undefined }> = [];
  for (const item of by.store.sealedItems()) {
    if (item.body.kind !== 'sealed' || item.room !== by.room || !by.isOpen(item.body.session)) continue;
    const heard = await read(cipher, by.room, item.body.event as MatrixEvent);
    if (!heard.sealed) readable.push({ item, said: itemOf(heard.event, by.context, heard.voucher) });
  }
  const takenBack = takenBackIn(readable.flatMap(({ said }) => said ?? []));
  return readable.flatMap(({ item, said }) => {
    const counts = said !== undefined && !takenBack(said) && by.wanted(said);
    return by.store.unseal(item.id, counts ? said : undefined) ?? [];
  });
}

/** Which of what somebody said they have edited or taken back themselves, as far as it is known by these. */
export function takenBackIn(items: readonly NewInboxItem[]): (item: NewInboxItem) => boolean {
  const gone = new Set(
    items.flatMap(({ sender, body }) => (body.kind === 'withdrawn' ? `${sender} ${body.event}` : [])),
  );
  return ({ sender, key }) => gone.has(`${sender} ${key}`);
}
