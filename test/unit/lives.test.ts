import { expect, test } from 'vitest';
import { keysLost } from '#adapters/matrix/crypto/keys-lost.ts';
import type { BotInfo } from '#domain/bot.ts';
import { OpsError } from '#domain/errors.ts';
import { openLives } from '#src/lives.ts';
import type { Settings } from '#src/settings.ts';
import { FakeLog } from '#test/fakes/log.ts';

const settings = (name: string): Settings => ({ name, matrix: {} }) as unknown as Settings;
const named = (one: Settings): string => (one as unknown as { name: string }).name;

test('an app that begins anew ends first, and has the new settings', async () => {
  const story: string[] = [];
  let renew: (settings?: Settings) => void = () => {};
  const app = await openLives(settings('first'), new FakeLog(), (given, again) => {
    const name = named(given);
    story.push(`open ${name}`);
    renew = again;
    return Promise.resolve({
      bot: { version: name } as BotInfo,
      ended: new Promise<OpsError>(() => {}),
      [Symbol.asyncDispose]: () => {
        story.push(`close ${name}`);
        return Promise.resolve();
      },
    });
  });
  expect(app.bot.version).toBe('first');
  renew(settings('second'));
  renew(settings('second'));
  await expect.poll(() => app.bot.version).toBe('second');
  renew();
  await app[Symbol.asyncDispose]();
  expect(story).toEqual(['open first', 'close first', 'open second', 'close second', 'close second']);
});

test('without a password, lost keys and any other error end the start', async () => {
  for (const error of [keysLost('DEV', 'lost'), new OpsError('denied', 'no')]) {
    await expect(openLives(settings('first'), new FakeLog(), () => Promise.reject(error))).rejects.toBe(error);
  }
});
