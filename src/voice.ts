import type { MatrixSession } from '#adapters/matrix/open.ts';
import type { ProbeRoom } from '#adapters/matrix/probe-room.ts';
import { MatrixOpsRoom } from '#adapters/matrix/room.ts';
import { SyncLoop } from '#adapters/matrix/sync.ts';
import type { Envelopes } from '#adapters/matrix/crypto/envelopes.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Operators } from '#domain/operators.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import type { SteadyLedger } from '#storage/steady.ts';
import { isForBot, parseContext } from '#engine/parse.ts';
import { Sender } from '#engine/sender.ts';
import { Alive } from './alive.ts';
import { openEnvelopes } from './encrypted-room.ts';
import { tellLeftOut } from './left-out.ts';
import { sessionSince } from './session-age.ts';
import type { Settings } from './settings.ts';

export type VoiceOptions = {
  settings: Settings;
  ledger: SteadyLedger;
  operators: Operators;
  matrix: MatrixSession;
  bot: BotInfo;
  clock: Clock;
  log: Log;
  scrubber: Scrubber;
  offline: boolean;
  probeRoom: ProbeRoom;
  /** The bot begins anew. */
  again: () => void;
  /** What the bot notices of itself. */
  receive: (signals: Signal[]) => void;
  /** New items are in the inbox. */
  taken: () => void;
  /** This has reached the room. */
  said: (row: OutboxRow) => void;
};

/** What hears the room and speaks in it. */
export type Voice = { alive: Alive; envelopes: Envelopes; room: MatrixOpsRoom; sender: Sender; sync: SyncLoop };

/** The stack closes it. Throws `misconfigured` when the room is encrypted and its keys can't be had. */
export async function openVoice(options: VoiceOptions, stack: AsyncDisposableStack): Promise<Voice> {
  const { settings, ledger, matrix, bot, clock, log, scrubber, probeRoom, taken, said } = options;
  const alive = stack.use(new Alive({ ...options, sync: () => sync, sender: () => sender }));
  const envelopes = stack.use(await openEnvelopes({ ...options, hears: () => sync.hears }));
  const room = new MatrixOpsRoom(matrix.connection, matrix.bot, envelopes);
  const sender = new Sender({
    ledger,
    room,
    clock,
    log,
    sessionSince: sessionSince(ledger, clock, settings.matrix.accessToken),
    said: (row) => {
      alive.presence.spoke();
      said(row);
    },
    refused: (_, error) => alive.presence.refused(error),
  });
  ledger.onOutbox(() => sender.wake());
  const sync = new SyncLoop({
    request: matrix.connection.request,
    site: bot.site,
    bot: matrix.bot,
    room: matrix.room,
    sink: ledger,
    envelopes,
    clock,
    log,
    wanted: (item) => concernsBot(item, ledger, bot),
    secretsIn: (text) => scrubber.find(text),
    taken,
    alsoRooms: () => probeRoom.rooms(),
    rooms: (rooms) => alive.presence.heard(rooms),
    recovered: () => sender.hasten(),
    seen: (event) => probeRoom.seen(event),
    leftOut: (before) => tellLeftOut(ledger, bot, clock, before),
  });
  return { alive, envelopes, room, sender, sync };
}

function concernsBot({ body }: NewInboxItem, ledger: Ledger, bot: BotInfo): boolean {
  if (body.kind === 'message') return isForBot(body.text, parseContext(bot, body.links));
  if (body.kind === 'withdrawn') return ledger.inboxItem(body.event) !== undefined;
  return body.kind === 'reaction' || body.kind === 'leaked';
}
