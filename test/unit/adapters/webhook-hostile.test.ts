import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAlert } from '#adapters/http/alert.ts';
import { readAlertmanager } from '#adapters/http/alertmanager.ts';
import { readJson, TooLarge, Unreadable } from '#adapters/http/body.ts';
import { growth, linear } from '#test/fixtures/growth.ts';
import { hostileJson, hostileText, hostileTexts, isPolluted, withProto } from '#test/fixtures/hostile.ts';

const now = Date.parse('2026-08-03T09:00:00Z');
const most = 32 * 1024 ** 2;
const read = (text: string): Promise<unknown> => readJson(Buffer.from(text), most);
const alert = (set: object = {}): Record<string, unknown> => ({
  status: 'firing',
  labels: { alertname: 'DiskFull', severity: 'critical' },
  annotations: { summary: 'The disk is full' },
  startsAt: '2026-08-03T08:59:30Z',
  ...set,
});
const deep = (levels: number): unknown => {
  let value: unknown = 'x';
  for (let at = 0; at < levels; at += 1) value = { d: value };
  return value;
};
/** What is stored must be whole UTF-8, short, and no more than was said. */
function demandSound(found: ReturnType<typeof readAlert>): void {
  for (const { name, title, labels, group, key, startedAt } of found.signals) {
    for (const text of [name, title, group, key, ...Object.entries(labels).flat()]) {
      expect(text.isWellFormed()).toBe(true);
      expect(text.length).toBeLessThanOrEqual(2100);
    }
    expect(name).not.toMatch(/[\r\n]/);
    expect(startedAt).toBeGreaterThanOrEqual(0);
    expect(startedAt).toBeLessThanOrEqual(now);
  }
  expect(isPolluted()).toBe(false);
}

describe('H1: webhooks', () => {
  test('anything at all is taken or told, 10,000 times', () => {
    const alerts = fc.array(
      fc.oneof(
        hostileJson,
        fc.record(
          {
            labels: hostileJson,
            annotations: hostileJson,
            status: hostileJson,
            startsAt: hostileText,
            fingerprint: hostileJson,
          },
          { requiredKeys: [] },
        ),
      ),
      { maxLength: 4 },
    );
    const post = fc.oneof(
      hostileJson,
      fc.record(
        {
          alerts: fc.oneof(alerts, hostileJson),
          groupKey: hostileJson,
          groupLabels: hostileJson,
          receiver: hostileJson,
          truncatedAlerts: hostileJson,
        },
        { requiredKeys: [] },
      ),
    );
    const simple = fc.oneof(
      hostileJson,
      fc.record(
        {
          title: hostileJson,
          text: hostileJson,
          severity: hostileJson,
          key: hostileJson,
          group: hostileJson,
          resolved: hostileJson,
          labels: hostileJson,
        },
        { requiredKeys: [] },
      ),
    );
    let taken = 0;
    fc.assert(
      fc.property(post, simple, (group, single) => {
        for (const attempt of [() => readAlertmanager(group, 'main', now), () => readAlert(single, 'main', now)]) {
          try {
            const found = attempt();
            demandSound(found);
            taken += found.understood;
          } catch (error) {
            if (!(error instanceof Unreadable)) throw error;
          }
        }
      }),
      { numRuns: 5000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  test('any bytes are JSON, told, or too large; never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          hostileText.map((text) => new TextEncoder().encode(text)),
        ),
        async (bytes) => {
          await readJson(Buffer.from(bytes), 1000).catch((error: unknown) => {
            if (!(error instanceof Unreadable) && !(error instanceof TooLarge)) throw error;
          });
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 30), text]))('%j in every field of an alert', (_, text) => {
    const all = alert({
      labels: { alertname: text, [text]: text },
      annotations: { summary: text, [text]: 'x' },
      startsAt: text,
      status: text,
    });
    const found = readAlertmanager({ alerts: [all], groupKey: text }, 'main', now);
    expect([found.understood, found.bad]).toEqual([1, []]);
    demandSound(found);
  });
});

describe('one odd thing costs nothing else', () => {
  test.each([
    [
      'a number as a label',
      { labels: { alertname: 'A', n: 7, ok: true } },
      { labels: { alertname: 'A', n: '7', ok: 'true' } },
    ],
    [
      'a null and an object as labels',
      { labels: { alertname: 'A', n: null, o: { a: 1 } } },
      { labels: { alertname: 'A', n: '', o: '{"a":1}' } },
    ],
    ['annotations that are a list', { annotations: ['x'] }, { title: 'DiskFull' }],
    ['a start that is no time', { startsAt: 12 }, { startedAt: 0 }],
    ['a start in the year 1', { startsAt: '0001-01-01T00:00:00Z' }, { startedAt: 0 }],
    ['a start in the year 9999', { startsAt: '9999-12-31T23:59:59Z' }, { startedAt: now }],
    ['an end before its start', { endsAt: '1990-01-01T00:00:00Z' }, { firing: true }],
    ['a status that is none', { status: { a: 1 } }, { firing: true }],
    ['a fingerprint that is a number', { fingerprint: 5 }, { key: 'alertmanager:5' }],
  ])('%s', (_, set, wanted) => {
    const found = readAlertmanager(
      { alerts: [alert(set), alert()], groupKey: 7, truncatedAlerts: 'many' },
      'main',
      now,
    );
    expect(found.bad).toEqual([]);
    expect(found.signals[0]).toMatchObject(wanted);
    expect(found.signals).toHaveLength(3);
  });

  test.each([
    ['no object', 'text', 'it is no object'],
    ['nothing in it', {}, 'it has no labels'],
    ['too deep', alert({ values: deep(65) }), 'more than 64 levels'],
    ['labels of more than 1 MB', alert({ labels: { alertname: 'A', x: 'y'.repeat(1_100_000) } }), 'larger than 1 MiB'],
    ['a million empty members', alert({ values: Array.from({ length: 1_000_000 }, () => 0) }), 'larger than 1 MiB'],
  ])('H2: an alert that is %s is recorded by itself, and the others are taken', (_, bad, why) => {
    const found = readAlertmanager({ alerts: [alert(), bad, alert()] }, 'main', now);
    expect(found).toMatchObject({ understood: 2, bad: [expect.stringContaining(why) as string] });
    expect(found.bad[0]).toContain('alert 2');
  });

  test('H2: exactly 64 levels are fine', () => {
    expect(readAlertmanager({ alerts: [alert({ values: deep(62) })] }, 'main', now).bad).toEqual([]);
  });

  test('more than 50,000 in one post: the first are taken, and it is told how many are not', () => {
    const alerts = Array.from({ length: 50_003 }, () => alert());
    const found = readAlertmanager({ alerts }, 'main', now);
    expect(found).toMatchObject({ understood: 50_000, bad: ['3 more than the 50000 that one post may hold'] });
  });

  test('a simple alert needs a title only; odd fields and lists are taken', () => {
    const found = readAlert(
      [{ title: 5, labels: 'x', resolved: 'TRUE' }, { title: 'B', text: {}, severity: 3, key: '' }, { text: 'no' }],
      'main',
      now,
    );
    expect(found.signals).toMatchObject([
      { name: '5', firing: false },
      { name: 'B', title: 'B', severity: 'warning', firing: true },
    ]);
    expect(found.bad).toEqual(['alert 3: it has no title']);
  });
});

describe('bodies', () => {
  const text = JSON.stringify({ alerts: [alert({ labels: { alertname: 'Ä€' } })] });
  const utf16be = Buffer.from(text, 'utf16le').swap16();
  test.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16, little end', Buffer.from(text, 'utf16le')],
    ['UTF-16, little end, with a mark', Buffer.from(`\ufeff${text}`, 'utf16le')],
    ['UTF-16, big end', utf16be],
    ['UTF-16, big end, with a mark', Buffer.concat([Buffer.from([0xfe, 0xff]), utf16be])],
    ['gzip', gzipSync(text)],
  ])('%s', async (_, body) => {
    expect(await readJson(body, most)).toEqual(JSON.parse(text));
  });

  test('bytes that are no UTF-8 stay a text', async () => {
    const body = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from('"}')]);
    expect(await readJson(body, most)).toEqual({ a: '\ufffd\ufffd(' });
  });

  test('a gzip bomb is too large, and broken gzip is told', async () => {
    await expect(readJson(gzipSync(Buffer.alloc(1_000_000)), 100_000)).rejects.toThrow(TooLarge);
    await expect(readJson(gzipSync(text).subarray(0, 30), most)).rejects.toThrow('its gzip is broken');
  });

  test('millions of levels are refused before the parser sees them', async () => {
    for (const body of ['['.repeat(2_000_000), '{"a":'.repeat(2_000_000)]) {
      await expect(read(body)).rejects.toThrow('more than 10000 levels');
    }
    expect(await read(`{"a":"${'['.repeat(50_000)}","b":"\\"[["}`)).toMatchObject({ b: '"[[' });
  });

  test('a prototype in it stays a word', async () => {
    const body = withProto(withProto(JSON.stringify({ alerts: [JSON.parse(withProto(JSON.stringify(alert())))] })));
    const found = readAlertmanager(await read(body), 'main', now);
    expect(found.understood).toBe(1);
    demandSound(found);
    const labels = await read(`{"alerts":[{"labels":{"__proto__":"x","constructor":"y","alertname":"A"}}]}`);
    demandSound(readAlertmanager(labels, 'main', now));
  });

  test('H1: the time is linear', () => {
    const large = (size: number): unknown => ({
      alerts: [alert({ labels: { alertname: ' \n'.repeat(size), ['\u202e<'.repeat(size)]: 'x' } })],
      groupKey: '\ud800'.repeat(size),
    });
    expect(growth((size) => readAlertmanager(large(size), 'main', now), 3000)).toBeLessThan(linear);
    const many = (size: number): unknown => ({ alerts: Array.from({ length: size }, () => alert()) });
    expect(growth((size) => readAlertmanager(many(size), 'main', now), 100)).toBeLessThan(linear);
  });
});
