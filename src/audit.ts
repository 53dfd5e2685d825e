import { join } from 'node:path';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#domain/log.ts';
import { Auditor } from '#engine/auditor.ts';
import { writeAuditFile } from '#storage/audit-file.ts';
import type { Storage } from '#storage/open.ts';

/** The one who seals the record and looks after it. */
export function openAuditor(of: { storage: Storage; dataDir: string; bot: BotInfo; clock: Clock; log: Log }): Auditor {
  const { storage, dataDir, bot, clock, log } = of;
  const { ledger, auditKey: key, seals, inspector } = storage;
  return new Auditor({
    ledger,
    clock,
    log,
    bot,
    key,
    seals,
    room: bot.opsRoom,
    walkWhole: () => inspector.record(),
    write: ({ rows, at }) => writeAuditFile(join(dataDir, 'exports'), { ledger, key, rows, at }),
  });
}
