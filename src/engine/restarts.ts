import type { BotInfo } from '#domain/bot.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { say } from './speak.ts';

const windowMs = 600_000;
const worthSaying = 3;
const name = 'starts';
type Memory = { clean: boolean; cutOff: EpochMs[]; toldAt: EpochMs };

/** Notes a start. When the bot was cut off again and again, the room is told: once in 10 min, however often it starts. */
export function noteStart(ledger: Ledger, bot: BotInfo, clock: Clock): void {
  const at = clock.now();
  const { clean, cutOff, toldAt } = (ledger.switch(name) as Memory | undefined) ?? {
    clean: true,
    cutOff: [],
    toldAt: 0,
  };
  const recent = [...cutOff, ...(clean ? [] : [at])].filter((start) => at - start < windowMs);
  const tells = recent.length >= worthSaying && at - toldAt >= windowMs;
  const value: Memory = { clean: false, cutOff: recent, toldAt: tells ? at : toldAt };
  ledger.commit({
    at,
    switches: [{ name, value }],
    outbox: tells ? [noticeOf(ledger, bot, recent.length, at)] : [],
  });
}

/** It ends because it was asked to. */
export function noteStop(ledger: Ledger, clock: Clock): void {
  const known = ledger.switch(name) as Memory | undefined;
  if (known === undefined) return;
  ledger.commit({ at: clock.now(), switches: [{ name, value: { ...known, clean: true } }] });
}

function noticeOf(ledger: Ledger, bot: BotInfo, times: number, at: EpochMs): NewOutboxRow {
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const address = { site: bot.site, where, lane: 'restarts', about: { kind: 'notice' as const, id: name }, at };
  const reply = {
    title: `The bot was cut off and started again ${times} times in the last 10 min.`,
    verdict: 'warning' as const,
    blocks: [
      {
        kind: 'text' as const,
        lines: ['Its log says why. Runs that were cut off go on or are told of; !runs shows them.'],
      },
    ],
  };
  return say(ledger, address, reply, { kind: 'notice' }, { collapse: name });
}
