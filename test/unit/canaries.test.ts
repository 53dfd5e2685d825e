import { expect, test } from 'vitest';
import { findCanaries } from '#test/fixtures/canaries.ts';

const value = 'c4nary/of+"the\\mine_0001';
const canaries = [{ name: 'planted', value }];

test.each([
  ['raw', value],
  ['json', JSON.stringify({ a: value })],
  ['url', `?a=${encodeURIComponent(value)}`],
  ['hex', Buffer.from(value).toString('hex').toUpperCase()],
  ['base64', Buffer.from(value).toString('base64')],
  ['base64', Buffer.from(`u:${value}!`).toString('base64')],
  ['base64', Buffer.from(`uu:${value}`).toString('base64')],
  ['base64url', Buffer.from(`\u00ff\u00fe${value}???`).toString('base64url')],
  ['raw, wrapped', `${value.slice(0, 7)}\n    ${value.slice(7)}`],
  ['base64, wrapped', Buffer.from(value.repeat(5)).toString('base64').replaceAll(/.{20}/g, '$&\r\n')],
  ['backwards', [...value].reverse().join('')],
])('G1: the scanner finds a leak that was planted: %s', (form, leak) => {
  const noise = 'x'.repeat(5000);
  const found = findCanaries('here', `${noise}${leak}${noise}`, canaries);
  expect(found).toContainEqual({ canary: 'planted', form, where: 'here' });
  expect(findCanaries('here', Buffer.from(`\0${leak}\xff`), canaries).length).toBeGreaterThan(0);
});

test('and nothing where there is none', () => {
  expect(findCanaries('here', `${value.slice(1)} ${value.slice(0, -1)}`, canaries)).toEqual([]);
});
