import { expect, test } from 'vitest';
import type { BotInfo } from '#domain/bot.ts';
import { tellLeftOut } from '#src/left-out.ts';
import { openStorage } from '#storage/open.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, opsRoom, site } from '#test/fakes/house.ts';

test('what could not be read is told once, with the moment from which on everything is known', () => {
  using storage = openStorage({ file: ':memory:' });
  const clock = new FakeClock();
  const bot = { user: botUser, opsRoom, site, timezone: 'UTC' } as BotInfo;
  const before = clock.now() - 3_600_000;
  tellLeftOut(storage.ledger, bot, clock, before);
  tellLeftOut(storage.ledger, bot, clock, before);
  const rows = storage.ledger.dueOutbox(clock.now(), 10);
  expect(rows).toHaveLength(1);
  const [row] = rows;
  const said = row?.content.kind === 'message' ? row.content.reply.title : '';
  expect(said).toContain(`before ${new Date(before).toISOString().slice(11, 16)}`);
  expect(row?.room).toBe(opsRoom);
});
