import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import type { OpsError } from '#domain/errors.ts';
import type { RoomId } from '#domain/rooms.ts';
import { openSynapse, type Synapse } from '#adapters/synapse/open.ts';
import { timeInName } from '#adapters/synapse/tokens.ts';
import { FakeClock } from '#test/fakes/clock.ts';
import { type Reply, ScriptedServer } from './scripted-server.ts';

const adminToken = 'syt_b3Bz_abcdefghijklmnopqrst_1a2b3c';
const admin = '@admin:opsroom.test' as UserId;
const bob = '@bob:opsroom.test' as UserId;
const room = '!room' as RoomId;

const whoami: Reply = { status: 200, body: { user_id: admin, device_id: 'D' } };
const account: Reply = { status: 200, body: { name: bob, creation_ts: 1_700_000_000, locked: false } };
const notAdmin = { errcode: 'M_FORBIDDEN', error: 'You are not a server admin' };
const limited = { errcode: 'M_LIMIT_EXCEEDED', error: 'Too Many Requests', retry_after_ms: 1500 };

const patient = { timeout: 20_000, interval: 5 };
const asleep = (clock: FakeClock): Promise<unknown> => vi.waitUntil(() => clock.sleeping > 0, patient);

type World = { server: ScriptedServer; synapse: Synapse; clock: FakeClock };

/** `openSynapse` asks whoami first, so that is the first reply. */
async function openWith(replies: Reply[]): Promise<World> {
  const server = await ScriptedServer.open(whoami, ...replies);
  const clock = new FakeClock();
  const synapse = await openSynapse({ url: server.url, adminToken, clock, readTimeoutMs: 300, writeTimeoutMs: 300 });
  onTestFinished(async () => {
    await synapse[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  return { server, synapse, clock };
}

const caught = async (promise: Promise<unknown>): Promise<OpsError> =>
  promise.then(
    () => expect.unreachable(),
    (error: unknown) => error as OpsError,
  );

describe('what Synapse refuses', () => {
  const refusals: Array<[string, Reply, Partial<OpsError>]> = [
    ['a missing thing', { status: 404, body: { errcode: 'M_UNKNOWN', error: 'No row found' } }, { kind: 'notFound' }],
    ['a missing endpoint', { status: 404, body: { errcode: 'M_UNRECOGNIZED' } }, { kind: 'misconfigured' }],
    ['a wrong method', { status: 405, body: { errcode: 'M_UNRECOGNIZED' } }, { kind: 'misconfigured' }],
    ['a proxy without the admin API', { status: 404, body: '<html>nginx</html>' }, { kind: 'misconfigured' }],
    ['another program', { status: 200, body: 'OK' }, { kind: 'misconfigured' }],
    ['another JSON program', { status: 200, body: { hello: 1 } }, { kind: 'misconfigured' }],
    ['a redirect', { status: 301, headers: { location: 'https://chat.test/x' } }, { kind: 'misconfigured' }],
    ['an account without the right', { status: 403, body: notAdmin }, { kind: 'misconfigured' }],
    ['a dead token', { status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } }, { kind: 'misconfigured' }],
    ['a locked admin', { status: 401, body: { errcode: 'M_USER_LOCKED' } }, { kind: 'misconfigured' }],
    [
      'a dead database',
      { status: 500, body: { errcode: 'M_UNKNOWN', error: 'Internal server error' } },
      { kind: 'unavailable' },
    ],
    ['bad input', { status: 400, body: { errcode: 'M_INVALID_PARAM', error: 'Nonsense' } }, { kind: 'invalid' }],
    ['a clash', { status: 409, body: { errcode: 'M_UNKNOWN', error: 'Taken' } }, { kind: 'conflict' }],
  ];

  test.each(refusals)('%s', async (_name, reply, wanted) => {
    const { synapse } = await openWith([reply]);
    expect(await caught(synapse.rooms.get(room))).toMatchObject({ ...wanted, effect: 'none' });
  });

  test('a dead token is mended by a command that is named', async () => {
    const { synapse } = await openWith([{ status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } }]);
    expect((await caught(synapse.rooms.get(room))).hint).toContain('npm start -- mend');
  });

  test('no secret is in what is thrown, whatever Synapse repeats', async () => {
    const password = 'a-new-password-of-bob';
    const echo = { errcode: 'M_BAD_JSON', error: `input ${password}, by ${adminToken}, like syt_other_token_here` };
    const { synapse } = await openWith([account, { status: 400, body: echo }]);
    const error = await caught(synapse.accounts.setPassword(bob, password));
    expect(error).toMatchObject({ kind: 'invalid', effect: 'none' });
    const everything = inspect(error, { depth: 20, showHidden: true });
    expect(everything).toContain('<secret>');
    for (const secret of [password, adminToken, 'syt_other']) expect(everything).not.toContain(secret);
  });

  test('a token that no header can hold is refused without being shown', async () => {
    const error = await caught(
      openSynapse({ url: 'http://127.0.0.1:9', adminToken: `${adminToken}\n`, clock: new FakeClock() }),
    );
    expect(error).toMatchObject({ kind: 'misconfigured' });
    expect(inspect(error, { depth: 20 })).not.toContain(adminToken);
  });
});

describe('what is left behind', () => {
  test('a write that got no answer may have happened; a read changes nothing', async () => {
    const { synapse } = await openWith([account, 'hang']);
    const error = await caught(synapse.accounts.setLocked(bob, true));
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
    expect(error.message).toBe(
      'Cannot lock @bob:opsroom.test: Synapse did not answer in 0.3 s. It may or may not have been done.',
    );
    expect(await caught(synapse.rooms.get(room))).toMatchObject({ kind: 'unavailable', effect: 'none' });
  });

  test('a write whose connection broke, or that a proxy gave up, may have happened, and is not sent twice', async () => {
    for (const reply of ['drop', { status: 504, body: 'Gateway Time-out' }] as const) {
      const { synapse, server } = await openWith([account, reply]);
      expect(await caught(synapse.accounts.deactivate(bob, false))).toMatchObject({
        kind: 'unavailable',
        effect: 'unknown',
      });
      expect(server.requests.filter((line) => line.startsWith('POST'))).toHaveLength(1);
    }
  });

  test('nothing, when nobody listens', async () => {
    const { synapse, server } = await openWith([account]);
    await server[Symbol.asyncDispose]();
    const error = await caught(synapse.accounts.setLocked(bob, true));
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' });
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('an account created by a write is an incident', async () => {
    const { synapse } = await openWith([account, { status: 201, body: {} }]);
    expect(await caught(synapse.accounts.setLocked(bob, true))).toMatchObject({ kind: 'internal', effect: 'done' });
  });

  test('a flag that Synapse did not take is a conflict', async () => {
    for (const write of ['setLocked', 'setSuspended'] as const) {
      const { synapse } = await openWith([account, { status: 200, body: {} }, account]);
      expect(await caught(synapse.accounts[write](bob, true))).toMatchObject({ kind: 'conflict', effect: 'unknown' });
    }
  });
});

describe('when limited', () => {
  const advanceUntil = async (clock: FakeClock, done: () => boolean): Promise<void> => {
    await vi.waitUntil(async () => {
      await clock.advance(500);
      return done();
    }, patient);
  };
  const asked = (server: ScriptedServer, path: string): number =>
    server.requests.filter((line) => line.includes(path)).length;

  test('a read waits for the greater of header and body, then asks again', async () => {
    const reply = { status: 429, body: limited, headers: { 'retry-after': '3' } };
    const { synapse, server, clock } = await openWith([reply, { status: 200, body: { members: [bob] } }]);
    const members = synapse.rooms.members(room);
    await asleep(clock);
    await clock.advance(2999);
    expect(asked(server, 'members')).toBe(1);
    await clock.advance(1001);
    expect(await members).toEqual([bob]);
  });

  test('a read gives up in the end and says when to come back', async () => {
    const { synapse, server, clock } = await openWith([{ status: 429, body: limited }]);
    let error: OpsError | undefined;
    const asking = caught(synapse.rooms.members(room)).then((thrown) => (error = thrown));
    await advanceUntil(clock, () => error !== undefined);
    expect(await asking).toMatchObject({ kind: 'limited', effect: 'none', retryAfterMs: 1500 });
    expect(asked(server, 'members')).toBe(3);
  });

  test('a leave is patient, a lock is not', async () => {
    const login = { status: 200, body: { access_token: 'syt_puppet' } };
    const { synapse, clock } = await openWith([
      account,
      login,
      { status: 429, body: limited },
      { status: 200, body: {} },
    ]);
    const puppet = await synapse.accounts.actAs(bob, 1000);
    let left = false;
    const leaving = puppet.leave(room, 'test').then(() => (left = true));
    await advanceUntil(clock, () => left);
    await leaving;
    const strict = await openWith([account, { status: 429, body: limited }]);
    expect(await caught(strict.synapse.accounts.setLocked(bob, true))).toMatchObject({
      kind: 'limited',
      effect: 'none',
    });
    expect(strict.clock.sleeping).toBe(0);
  });

  test('stopping ends the waiting', async () => {
    const { synapse, clock } = await openWith([{ status: 429, body: { ...limited, retry_after_ms: 5000 } }]);
    const asking = caught(synapse.rooms.members(room));
    await asleep(clock);
    await synapse[Symbol.asyncDispose]();
    expect(await asking).toMatchObject({ kind: 'cancelled' });
  });
});

test('reads try again when a connection was dropped under them', async () => {
  const { synapse, clock } = await openWith(['drop', { status: 200, body: { members: [bob] } }]);
  const members = synapse.rooms.members(room);
  await asleep(clock);
  await clock.advance(1000);
  expect(await members).toEqual([bob]);
});

test('the time in a device name is told, another name tells none', () => {
  expect(timeInName('opsroom 2026-11-22T09:00:00Z')).toBe(Date.UTC(2026, 10, 22, 9));
  expect(timeInName('opsroom admin 2026-11-22T09:00Z')).toBe(Date.UTC(2026, 10, 22, 9));
  for (const name of ['', 'Element on Linux', '2026-99-99T99:99Z', 'since 2026-11-22'])
    expect(timeInName(name)).toBeUndefined();
});
