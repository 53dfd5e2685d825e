import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Request } from '#adapters/matrix/client.ts';
import { RoomPresence } from '#adapters/matrix/presence.ts';
import { OpsError } from '#domain/errors.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { botUser, idOf, opsRoom } from '#test/fakes/house.ts';
import { FakeLog } from '#test/fakes/log.ts';

let clock: FakeClock;
let asked: string[];
let mayJoin: boolean;
let membership: string | undefined;
let backs: number;
let presence: RoomPresence;
let broken: (what: string) => OpsError | undefined;
const denied = (): OpsError => new OpsError('denied', 'no');
const request: Request = async (method, path) => {
  await Promise.resolve();
  const what = path.slice(path.lastIndexOf('/') + 1);
  asked.push(
    `${method} ${what === encodeURIComponent(botUser) ? 'membership' : what} ${path.includes(encodeURIComponent(opsRoom)) ? 'ops' : 'other'}`,
  );
  const error = broken(what);
  if (error) throw error;
  if (what === 'join' && !mayJoin) throw denied();
  if (what === encodeURIComponent(botUser)) {
    if (membership === undefined) throw denied();
    return { membership };
  }
  return {};
};
beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  mayJoin = false;
  broken = () => undefined;
  membership = undefined;
  backs = 0;
  presence = new RoomPresence({
    request,
    bot: botUser,
    room: opsRoom,
    clock,
    log: new FakeLog(),
    isOwner: (user) => user === idOf('alice'),
    back: () => (backs += 1),
  });
});
const member = (sender: string, what: string): object => ({
  type: 'm.room.member',
  state_key: botUser,
  sender,
  content: { membership: what },
});
const kicked = (what = 'leave'): void =>
  presence.heard({ leave: { [opsRoom]: { timeline: { events: [member(idOf('bob'), what)] } } } });
const invited = (room: string, by: string): void =>
  presence.heard({ invite: { [room]: { invite_state: { events: [member(by, 'invite')] } } } });
/** A look each second. */
const pass = async (ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 1000) {
    await presence.once();
    await clock.advance(1000);
  }
};
const joins = (): number => asked.filter((what) => what === 'POST join ops').length;

describe('thrown out', () => {
  test('says by whom, and what to do', () => {
    kicked();
    expect(presence.state()).toEqual({
      ready: false,
      note: `it was removed by @bob:example.org from ${opsRoom}. Invite it again`,
    });
    kicked('ban');
    expect(presence.state().note).toContain('banned by @bob:example.org');
  });

  test('B6: joining is tried at most once a minute', async () => {
    kicked();
    await pass(10 * 60_000);
    expect(joins()).toBe(10);
    mayJoin = true;
    await pass(60_000);
    expect([presence.state().ready, backs]).toEqual([true, 1]);
    await pass(5 * 60_000);
    expect(joins()).toBe(11);
  });

  test('an owner’s invitation is taken at once', async () => {
    kicked();
    await pass(5000);
    mayJoin = true;
    invited(opsRoom, idOf('alice'));
    await pass(1000);
    expect([presence.state().ready, backs]).toEqual([true, 1]);
  });

  test('somebody put it back: nothing to do', async () => {
    kicked();
    presence.heard({ join: { [opsRoom]: {} } });
    expect([presence.state().ready, backs]).toEqual([true, 1]);
  });
});

describe('invitations', () => {
  test.each([
    ['an owner, another room', '!other:example.org', 'alice', 'other'],
    ['somebody else, the ops room', opsRoom, 'bob', 'ops'],
    ['a stranger, another room', '!spam:elsewhere.org', '@eve:elsewhere.org', 'other'],
  ])('by %s: declined', async (_, room, by, where) => {
    invited(room, idOf(by));
    await turn();
    expect(asked).toEqual([`POST leave ${where}`]);
    await pass(120_000);
    expect(joins()).toBe(0);
  });
});

describe('an invitation that can not be declined', () => {
  const errors = (kind: 'unavailable' | 'denied'): void => {
    let left = 1;
    broken = (what) => (what === 'leave' && (left -= 1) >= 0 ? new OpsError(kind, 'no') : undefined);
  };
  const leaves = (): number => asked.filter((what) => what === 'POST leave other').length;

  test('is declined a minute later', async () => {
    errors('unavailable');
    invited('!other:example.org', idOf('eve'));
    await pass(55_000);
    expect(leaves()).toBe(1);
    await pass(120_000);
    expect(leaves()).toBe(2);
  });

  test('because it was taken back is forgotten', async () => {
    errors('denied');
    invited('!other:example.org', idOf('eve'));
    await pass(180_000);
    expect(leaves()).toBe(1);
  });
});

describe('a refusal', () => {
  test('because it was thrown out unheard: it comes back', async () => {
    mayJoin = true;
    presence.refused(denied());
    await pass(1000);
    expect(asked).toEqual(['GET membership ops', 'POST join ops']);
    expect([presence.state().ready, backs]).toEqual([true, 1]);
  });

  test('because its power was taken: said so, until it speaks again', async () => {
    membership = 'join';
    presence.refused(denied());
    await pass(1000);
    expect(presence.state()).toEqual({ ready: false, note: expect.stringContaining('may not speak') });
    await pass(5 * 60_000);
    expect([joins(), asked.length]).toEqual([0, 6]);
    presence.spoke();
    expect(presence.state().ready).toBe(true);
  });

  test('an outage is none', async () => {
    presence.refused(new OpsError('unavailable', 'down'));
    await pass(3000);
    expect(asked).toEqual([]);
  });
});
