import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { namesOf } from '#adapters/shell/proof.ts';
import type { UserId } from '#domain/accounts.ts';
import { OpsError } from '#domain/errors.ts';
import { laneOf, say } from '#engine/speak.ts';
import { openStorage } from '#storage/open.ts';
import { becomeOwnerOf, closedSession } from '../exec-offline.ts';
import type { Settings } from '../settings.ts';

/**
 * What was mended goes into the audit, and waits for the room to hear of it. Gives what to tell when it could not be
 * written: a bot that runs holds its memory.
 */
export async function record(
  settings: Settings,
  options: { done: readonly string[]; at: number; caller: number },
): Promise<string | undefined> {
  const { done, at, caller } = options;
  // A bot that never ran has no memory, and root must not make one that the bot can't open.
  if (done.length === 0 || !existsSync(settings.dataDir)) return undefined;
  const unix = await namesOf(caller);
  const person = settings.people.find(({ shell }) => shell !== undefined && unix.includes(shell));
  try {
    await becomeOwnerOf(settings.dataDir);
    using storage = openStorage({ file: join(settings.dataDir, 'opsroom.db') });
    const { ledger } = storage;
    const { room } = closedSession(settings.matrix, ledger);
    const actor: UserId = person?.user ?? settings.matrix.userId;
    const who = `${person === undefined ? 'Somebody' : person.user} (Unix user ${unix[0]})`;
    const address = {
      site: 'default',
      where: { room, thread: undefined, event: undefined },
      lane: laneOf(`mend:${at}`),
      about: { kind: 'notice' as const, id: `mend:${at}` },
      at,
    };
    const reply = { title: `🔧 ${who} mended the bot`, blocks: [{ kind: 'list' as const, items: [...done] }] };
    const entry = { at, actor, site: 'default', run: undefined, incident: undefined, act: 'mend', outcome: 'done' };
    ledger.commit({
      at,
      audit: [{ ...entry, detail: { unix: unix[0] ?? '', done: [...done] } }],
      outbox: [say(ledger, address, reply, { kind: 'notice' })],
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof OpsError)) throw error;
    const why = error.kind === 'held' ? 'the bot runs' : error.message;
    return `What was mended is not in the bot's audit (${why}): say it in the room.`;
  }
}
