import { describe, expect, it } from 'vitest';
import { render } from '#adapters/matrix/render.ts';
import { postReply } from '#domain/alert-text.ts';
import { beginIncident } from '#domain/incident-life.ts';
import type { Incident } from '#domain/incidents.ts';

const now = Date.parse('2026-08-03T09:00:00Z');
const context = { timezone: 'UTC', prefix: '!', now };
const rules = { reopenMs: 0, firstPageAfterMs: 0 };
const many = (count: number, nameOf: (index: number) => string, title = 'it is not well'): Incident[] =>
  Array.from({ length: count }, (_, index) => {
    const name = nameOf(index);
    const labels = { alertname: name, instance: `m${index}\nx` };
    const rest = { site: 'main', source: 'alertmanager', key: name, group: 'g', firing: true, startedAt: now };
    return beginIncident({ ...rest, severity: 'critical', name, title, labels }, index + 1, now, rules);
  });

describe('the message of many alerts', () => {
  // An event holds 65,536 bytes and an edit carries text and HTML twice; the adapter cuts above 30,000 for both.
  it.each([1, 2, 25, 26, 100, 400, 2000, 10_000])('of %i fits into an event, edits too', (count) => {
    for (const [nameOf, title] of [
      [(index: number) => `Alert${index}`, 'short'],
      [(index: number) => `${index}${'<&"ü'.repeat(60)}`, '<b>&'.repeat(200)],
      [() => 'Same', 'x'.repeat(900)],
    ] as const) {
      const { reply } = postReply(many(count, nameOf, title), { file: true, paged: undefined }, context);
      const { body, html } = render(reply);
      expect(Buffer.byteLength(body) + Buffer.byteLength(html)).toBeLessThan(30_000);
    }
  });

  it('names every alert in its text while they fit, in a file as one line each when not', () => {
    const few = postReply(
      many(300, (index) => `N${index}`),
      { file: true, paged: undefined },
      context,
    );
    expect(few.fits).toBe(true);
    expect(few.reply.files).toBeUndefined();
    const text = render(few.reply).body;
    for (let index = 0; index < 300; index += 1) expect(text).toMatch(new RegExp(`\\bN${index}\\b`));
    const lots = postReply(
      many(3000, (index) => `N${index}`),
      { file: true, paged: undefined },
      context,
    );
    expect(lots.fits).toBe(false);
    const lines = lots.reply.files?.[0]?.content.trimEnd().split('\n') ?? [];
    expect(lines).toHaveLength(3000);
    expect(lines[2999]).toBe(
      'a3000\tcritical\topen\tsince 2026-08-03 09:00 +00:00\tN2999: it is not well\t{alertname="N2999", instance="m2999 x"}',
    );
    expect(postReply(many(3000, String), { file: false, paged: undefined }, context).reply.files).toBeUndefined();
  });
});
