import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebhookWay } from '#adapters/webhook/open.ts';
import type { FallbackNotice, FallbackWay } from '#domain/fallback.ts';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { FakeFallbackWay } from '#test/fakes/fallback-way.ts';
import { Pager } from '#test/fixtures/pager.ts';

const notice: FallbackNotice = {
  title: '🔴 SynapseDown',
  text: '🔴 SynapseDown\n\nit does not answer',
  users: ['@bob:example.org' as never],
  incidents: ['a17'],
  at: Date.parse('2026-08-03T09:00:00Z'),
};
const signal = new AbortController().signal;
const own = { bot: '@opsroom:example.org', site: 'main' };
let pager: Pager;
beforeEach(async () => {
  pager = await Pager.open();
});
afterEach(() => pager[Symbol.asyncDispose]());
const webhook = (secret?: Secret): WebhookWay => new WebhookWay({ url: `${pager.url}/in?x=1`, secret, ...own });

const ways: Array<[string, () => { way: FallbackWay; took: () => number; fail: () => void }]> = [
  [
    'the fake',
    () => {
      const way = new FakeFallbackWay();
      const fail = (): void => void (way.error = new OpsError('unavailable', 'down'));
      return { way, took: () => way.told.length, fail };
    },
  ],
  ['a webhook', () => ({ way: webhook(), took: () => pager.calls.length, fail: () => void (pager.status = 503) })],
];
describe.each(ways)('a way: %s', (_, make) => {
  test('takes a page, or says that it did not', async () => {
    const { way, took, fail } = make();
    await way.tell(notice, signal);
    expect(took()).toBe(1);
    fail();
    await expect(way.tell(notice, signal)).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

test('what it gets', async () => {
  await webhook(new Secret('s3cret')).tell(notice, signal);
  expect(pager.calls).toEqual([
    {
      method: 'POST',
      path: '/in?x=1',
      authorization: 'Bearer s3cret',
      body: { v: 1, kind: 'page', ...own, ...notice, at: '2026-08-03T09:00:00.000Z' },
    },
  ]);
});

test.each([
  [200, undefined],
  [204, undefined],
  [302, 'misconfigured'],
  [401, 'misconfigured'],
  [404, 'misconfigured'],
  [429, 'unavailable'],
  [500, 'unavailable'],
])('an answer of %i: %s', async (status, kind) => {
  pager.status = status;
  const sent = webhook(new Secret('s3cret')).tell(notice, signal);
  if (kind === undefined) await expect(sent).resolves.toBeUndefined();
  else await expect(sent).rejects.toMatchObject({ kind, message: expect.not.stringContaining('s3cret') as string });
});

test('nobody there; the address is kept out of what is said when it is a secret', async () => {
  const url = new Secret(`${pager.url}/hooks/s3cretpath`);
  await pager[Symbol.asyncDispose]();
  const way = new WebhookWay({ url, ...own, secret: undefined });
  await expect(way.tell(notice, signal)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.not.stringContaining('s3cretpath') as string,
  });
  expect(way.name).not.toContain('s3cretpath');
  expect(() => new WebhookWay({ url: new Secret('not an address'), ...own, secret: undefined })).toThrow('is none');
});

test('to be reached without paging anybody', async () => {
  pager.status = 405;
  await webhook().reach(signal);
  expect(pager.calls.map(({ method }) => method)).toEqual(['HEAD']);
});
