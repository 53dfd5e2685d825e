import fc from 'fast-check';
import { expect, test } from 'vitest';
import { itemOf } from '#adapters/matrix/events.ts';
import type { NewInboxItem } from '#domain/inbox.ts';
import { botUser, idOf, openTestHouse, opsRoom, site, type TestHouse } from '#test/fakes/house.ts';
import { answers, hello, tick } from '#test/fixtures/small-commands.ts';

// What the sync may do to what was said: bring it up to five times, in one answer or over several, in another order, out of
// the back-fill as well, and over a restart in between.
type Said = { key: string; text: string; edits?: string; takesBack?: string };

function item(house: TestHouse, { key, text, edits, takesBack }: Said): NewInboxItem[] {
  const relates = edits === undefined ? {} : { 'm.relates_to': { rel_type: 'm.replace', event_id: edits } };
  const event =
    takesBack === undefined
      ? { type: 'm.room.message', content: { msgtype: 'm.text', body: text, ...relates } }
      : { type: 'm.room.redaction', redacts: takesBack, content: {} };
  const at = house.clock.now();
  const whole = { ...event, event_id: key, sender: idOf('carol'), origin_server_ts: at };
  return [itemOf(whole, { site, room: opsRoom, bot: botUser, takenAt: at }) ?? []].flat();
}

const saids = fc
  .array(fc.constantFrom('!tick', '!hello', 'chatter', 'edit', 'redaction'), { minLength: 1, maxLength: 6 })
  .map((kinds) =>
    kinds.map((kind, at): Said => {
      const earlier = `$e${Math.max(0, at - 1)}`;
      if (kind === 'edit') return { key: `$e${at}`, text: '* !tick', edits: earlier };
      if (kind === 'redaction') return { key: `$e${at}`, text: '', takesBack: earlier };
      return { key: `$e${at}`, text: kind };
    }),
  );
const story = saids.chain((said) =>
  fc.record({
    said: fc.constant(said),
    deliveries: fc.shuffledSubarray(
      said.flatMap((one, at) => Array.from({ length: 1 + ((at * 7) % 5) }, () => one)),
      { minLength: 1 },
    ),
    batch: fc.integer({ min: 1, max: 4 }),
    restartAfter: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  }),
);

test('A3 1,000 stories of duplicates, other orders and restarts: each command is executed once, an edit never', async () => {
  let executed = 0;
  await fc.assert(
    fc.asyncProperty(story, async ({ said, deliveries, batch, restartAfter }) => {
      const house = openTestHouse({
        commands: (world) => ({ ...answers(), tick: tick(world), hello: hello() }),
        onDisk: restartAfter !== undefined,
      });
      await using _ = house;
      // Whatever was left out comes last: nothing that was said is lost by the sync.
      const all = [...deliveries, ...said];
      for (let at = 0, nth = 0; at < all.length; at += batch, nth += 1) {
        house.take(all.slice(at, at + batch).flatMap((one) => item(house, one)));
        if (nth === restartAfter) {
          house.kill();
          await house.reopen();
        } else await house.settle();
      }
      await house.settle();
      const ticks = said.filter(({ text, edits }) => text === '!tick' && edits === undefined);
      const hellos = said.filter(({ text }) => text === '!hello');
      const keys = house.ledger.runsBy({}).map(({ key }) => key);
      // Taken back before anybody looked at it, a command may not be executed at all; never twice.
      const withdrawn = new Set(said.flatMap(({ takesBack, edits }) => takesBack ?? edits ?? []));
      expect(new Set(keys).size).toBe(keys.length);
      for (const { key } of ticks) if (!withdrawn.has(key)) expect(keys).toContain(key);
      expect(keys.every((key) => ticks.some((one) => one.key === key))).toBe(true);
      expect(house.states().every((state) => state === 'done')).toBe(true);
      if (restartAfter === undefined) expect(house.world.times('count')).toBe(keys.length);
      const greeted = house.room
        .messages()
        .filter(({ text }) => text === 'hello world')
        .map(({ thread }) => thread);
      expect(new Set(greeted).size).toBe(greeted.length);
      for (const { key } of hellos) if (!withdrawn.has(key)) expect(greeted).toContain(key);
      expect(house.ledger.inboxDepth()).toBe(0);
      executed += keys.length;
    }),
    { numRuns: 1000 },
  );
  expect(executed).toBeGreaterThan(500);
}, 120_000);
