import { afterEach, describe, expect, test } from 'vitest';
import reset from '#commands/crypto/reset.ts';
import status from '#commands/crypto/status.ts';
import verify from '#commands/crypto/verify.ts';
import type { UserId } from '#domain/accounts.ts';
import type { Encryption, EncryptionStatus, PersonKeys } from '#domain/encryption.ts';
import { OpsError } from '#domain/errors.ts';
import { idOf, TestHouse } from '#test/fakes/house.ts';

const keys = (name: string, set: Partial<PersonKeys> = {}): PersonKeys => ({
  user: idOf(name),
  signed: 1,
  unsigned: [],
  identity: 'known',
  ...set,
});

class FakeEncryption implements Encryption {
  now: EncryptionStatus = {
    encrypted: true,
    mode: 'auto',
    bot: { device: 'BOT', fingerprint: 'abcdefgh', signed: true },
    people: [],
    unread: 0,
  };
  readonly accepted: string[] = [];
  renewed = 0;
  why: string | undefined;
  fingerprint: string | undefined = 'print-1';

  status = (): Promise<EncryptionStatus> => Promise.resolve(this.now);
  find: Encryption['find'] = (user) => {
    const known = this.now.people.find((one) => one.user === user) ?? keys(user);
    return Promise.resolve({ ...known, fingerprint: this.fingerprint });
  };
  accept = (user: UserId, fingerprint: string): Promise<void> => {
    this.accepted.push(`${user} ${fingerprint}`);
    return Promise.resolve();
  };
  renew = (): Promise<void> => {
    this.renewed += 1;
    return Promise.resolve();
  };
  whyNotRenew = (): string | undefined => this.why;
}

let house: TestHouse;
afterEach(() => house[Symbol.asyncDispose]());
function open(encryption: FakeEncryption): void {
  house = new TestHouse({
    commands: () => ({ 'crypto status': status, 'crypto verify': verify, 'crypto reset': reset }),
    ports: { encryption },
  });
}

describe('!crypto status', () => {
  test('shows whose devices may not command, and offers to accept a new identity', async () => {
    const encryption = new FakeEncryption();
    encryption.now.people = [
      keys('alice'),
      keys('bob', { unsigned: [{ device: 'TABLET', name: 'old tablet' }] }),
      keys('carol', { identity: 'changed' }),
    ];
    open(encryption);
    const [text] = await house.say('bob', '!crypto status');
    expect(text).toContain('1 new identity waits to be accepted');
    expect(text).toContain('TABLET (old tablet)');
    expect(text).toContain('!crypto verify @carol:example.org');
    expect(text).toContain('abcd efgh');
  });

  test.each([
    [{ encrypted: false, bot: undefined }, 'This room is not encrypted.'],
    [{ encrypted: false, mode: 'required' as const }, '🔴 This room is not encrypted, so commands are refused here'],
    [{ mode: 'off' as const, bot: undefined }, '🔴 This room is encrypted, and the settings say'],
    [
      { bot: { device: 'BOT', fingerprint: 'x', signed: false } },
      '🔴 This room is encrypted, and the bot’s device is not signed',
    ],
    [{}, '🟢 Encrypted, all well.'],
    [{ people: [keys('alice'), keys('bob')] }, '🟢 Encrypted, all well.'],
    [{ people: [keys('alice', { signed: 0 })] }, '🔴 Encrypted, but nobody has a verified device'],
    [{ people: [keys('alice'), keys('bob', { signed: 0 })] }, '🟠 Encrypted. 1 of 2 people cannot command'],
    [
      { people: [keys('alice', { unsigned: [{ device: 'TABLET', name: undefined }] })] },
      '🟠 Encrypted. The bot is well; not everything here counts.',
    ],
  ])('%j', async (set, title) => {
    const encryption = new FakeEncryption();
    Object.assign(encryption.now, set);
    open(encryption);
    expect((await house.say('bob', '!crypto status'))[0]).toContain(title);
  });

  test('is for admins', async () => {
    open(new FakeEncryption());
    expect((await house.say('carol', '!crypto status'))[0]).toContain('needs the role admin');
  });
});

describe('!crypto verify', () => {
  test('accepts the identity that was shown, once somebody with less to say has agreed to', async () => {
    const encryption = new FakeEncryption();
    encryption.now.people = [keys('carol', { identity: 'changed' })];
    open(encryption);
    const [asked] = await house.say('bob', '!crypto verify @carol:example.org');
    expect(asked).toContain('print-1');
    await house.react('bob', '✅');
    expect(encryption.accepted).toEqual(['@carol:example.org print-1']);
  });

  test('an admin alone may not accept an owner’s: an owner has to agree', async () => {
    const encryption = new FakeEncryption();
    encryption.now.people = [keys('alice', { identity: 'changed' })];
    open(encryption);
    expect((await house.say('bob', '!crypto verify @alice:example.org'))[0]).toContain(
      'second person with the role owner',
    );
    expect(encryption.accepted).toEqual([]);
  });

  test('another identity than the one that was shown is not accepted', async () => {
    const encryption = new FakeEncryption();
    encryption.now.people = [keys('carol', { identity: 'changed' })];
    open(encryption);
    await house.say('bob', '!crypto verify @carol:example.org');
    encryption.fingerprint = 'print-2';
    await house.react('bob', '✅');
    expect(encryption.accepted).toEqual([]);
  });

  test('what is accepted already, or missing, is said', async () => {
    const encryption = new FakeEncryption();
    open(encryption);
    expect((await house.say('bob', '!crypto verify @carol:example.org'))[0]).toContain('accepted already');
    encryption.fingerprint = undefined;
    expect((await house.say('bob', '!crypto verify @carol:example.org'))[0]).toContain('has no identity to accept');
  });
});

describe('!crypto reset', () => {
  test('asks, and gives the bot a new device', async () => {
    const encryption = new FakeEncryption();
    open(encryption);
    expect((await house.say('bob', '!crypto reset'))[0]).toContain('BOT');
    expect(encryption.renewed).toBe(0);
    await house.react('bob', '✅');
    await house.settle();
    expect(encryption.renewed).toBe(1);
  });

  test('without a password it says what to do instead', async () => {
    const encryption = new FakeEncryption();
    encryption.why = 'Set matrix.password in the settings file.';
    open(encryption);
    expect((await house.say('bob', '!crypto reset'))[0]).toContain('Set matrix.password');
  });

  test('a failure is told', async () => {
    const encryption = new FakeEncryption();
    encryption.renew = () => Promise.reject(new OpsError('denied', 'The password is not accepted.'));
    open(encryption);
    await house.say('bob', '!crypto reset');
    await house.react('bob', '✅');
    await house.settle();
    expect(house.room.texts().join()).toContain('not accepted');
  });
});
