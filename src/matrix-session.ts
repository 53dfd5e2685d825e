import { type MatrixSession, openMatrix, reopenMatrix } from '#adapters/matrix/open.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Settings } from './settings.ts';

const longestWaitMs = 30_000;
const proved = 'proved-session';

/**
 * The bot in its room. What an earlier start has proved opens at once, so that webhooks are stored while the homeserver
 * is down; it is proved again behind. The first start waits for the homeserver, and says so.
 */
export async function openSession(options: {
  settings: Settings['matrix'];
  ledger: Ledger;
  clock: Clock;
  log: Log;
  stop: AbortSignal | undefined;
}): Promise<MatrixSession> {
  const { ledger, clock, log, stop } = options;
  const { homeserverUrl, userId, opsRoom, accessToken } = options.settings;
  const account = { homeserverUrl, userId, opsRoom };
  const login = { ...account, accessToken: accessToken.reveal() };
  const known = ledger.switch(proved) as (typeof account & { room: RoomId }) | undefined;
  const prove = async (): Promise<MatrixSession> => {
    const session = await patiently(() => openMatrix(login), clock, log, stop);
    const value = { ...account, room: session.room };
    if (session.room !== known?.room) ledger.commit({ at: clock.now(), switches: [{ name: proved, value }] });
    return session;
  };
  if (known?.homeserverUrl !== homeserverUrl || known.userId !== userId || known.opsRoom !== opsRoom) return prove();
  void prove().then(
    (session) => {
      if (session.room !== known.room)
        log.error({ was: known.room, is: session.room }, 'the ops room is another one now; restart the bot');
    },
    (error: unknown) => {
      if (!stop?.aborted)
        log.error({ why: asOpsError(error).message, hint: asOpsError(error).hint }, 'the bot cannot speak in its room');
    },
  );
  return reopenMatrix(login, known.room);
}

async function patiently<T>(open: () => Promise<T>, clock: Clock, log: Log, stop: AbortSignal | undefined): Promise<T> {
  for (let waitMs = 1000; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await open();
    } catch (error) {
      const ops = asOpsError(error);
      if (ops.kind !== 'unavailable' && ops.kind !== 'limited') throw ops;
      log.error({ why: ops.message, waitMs }, 'the homeserver cannot be reached; the bot keeps trying');
      await clock.sleep(waitMs, stop);
    }
  }
}
