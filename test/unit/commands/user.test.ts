import { expect, test } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { Place } from '#test/fixtures/place.ts';

test('!user: the first line is the answer; an application that cannot be asked makes calls unknown, not possible', async () => {
  const place = new Place();
  await using house = place.house;
  const first = async (): Promise<string> => (await house.say('vera', '!user mallory')).join().split('\n')[0] ?? '';
  expect(await first()).toBe('🟢 @mallory:example.org (Mal <b>Lory</b>) can log in, read and call');
  place.roster.faults.fail('findByMatrix', new OpsError('unavailable', 'The application does not answer.'));
  expect(await first()).toMatch(
    /^⚪ .* can log in and read; whether they can call is unknown: the application cannot be asked$/,
  );
  await house.say('alice', '!disable mallory spam');
  await house.react('alice', '✅');
  expect(await first()).toMatch(/^🔴 .* cannot log in, read or call: the account is locked$/);
});
