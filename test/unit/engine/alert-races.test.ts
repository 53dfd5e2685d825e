import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlertDesk, user } from '#test/fixtures/alert-desk.ts';

const names = ['A', 'B', 'C'];
const act = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('fire' as const), name: fc.constantFrom(...names), firing: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), at: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'ack all' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(500, 1000, 30_000, 310_000, 1_000_000),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'deliver' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

describe('alerts, acknowledgements, time, restarts and a slow room in any order', () => {
  it('never page about what is acknowledged or resolved, and never forget what is neither', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 40 }), async (acts) => {
        using desk = new AlertDesk();
        const { ledger } = desk.storage;
        for (const what of acts) {
          if (what.kind === 'fire')
            desk.fire({ name: what.name, group: what.name === 'C' ? 'C' : 'AB', firing: what.firing });
          else if (what.kind === 'wait') {
            await desk.clock.advance(what.ms);
            desk.alerter.tick();
          } else if (what.kind === 'restart') desk.restart();
          else if (what.kind === 'ack all') desk.desk.ack('all', user('bob'), 3_600_000);
          else if (what.kind === 'ack') {
            const event = desk.said.at(-1 - what.at)?.event ?? '$none';
            desk.alerter.reaction({ event, emoji: '👍', sender: user('alice'), joined: true });
          } else {
            for (const { rings, row } of desk.deliver()) {
              if (!rings) continue;
              const about = ledger.incident(Number(row.about.id));
              const shown = ledger.incidents({ message: about?.message ?? -1 });
              expect(shown.some((incident) => incident.state === 'paged')).toBe(true);
            }
          }
          for (const incident of ledger.incidents({ open: true })) {
            if (incident.state !== 'acked') expect(incident.nextAt).toBeDefined();
          }
        }
        for (const { id } of ledger.incidents({})) {
          let quietFrom: number | undefined;
          for (const { at, what } of ledger.incidentLog(id)) {
            if (what.startsWith('acknowledged') || what === 'resolved') quietFrom = at;
            if (what.startsWith('came back') || what.startsWith('still not')) quietFrom = undefined;
            if (what.startsWith('paged')) expect(quietFrom).toBeUndefined();
          }
        }
        await desk.pass(120_000);
        const unsaid = ledger.incidents({ unsaid: true });
        expect(unsaid).toEqual([]);
        const text = desk.said.map((said) => said.text).join('\n');
        for (const incident of ledger.incidents({})) expect(text).toContain(incident.name);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
