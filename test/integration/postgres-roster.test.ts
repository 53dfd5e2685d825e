import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import { quoteColumn, quoteTable } from '#adapters/postgres/identifiers.ts';
import { PostgresRoster } from '#adapters/postgres/roster.ts';
import type { RosterTables } from '#adapters/postgres/roster-tables.ts';
import { openStack, type Stack } from '#sandbox/stack.ts';

const installMs = 15 * 60_000;
vi.setConfig({ testTimeout: 60_000 });
const words = { active: 'active', suspended: 'suspended', onboarding: 'new' };
const tables = (prefix: string): RosterTables => ({
  users: { table: `${prefix}.people`, id: 'id', matrixId: 'mxid', status: 'state', ...words },
  memberships: { table: `${prefix}.members`, user: 'person', project: 'project' },
  credentials: { table: `${prefix}.creds`, user: 'person' },
});

describe('names from the settings', () => {
  test.each([
    ['User', '"User"'],
    ['"User"', '"User"'],
    ['app.users', '"app"."users"'],
    ['"my app"."User"', '"my app"."User"'],
    ['app."a.b"', '"app"."a.b"'],
    ['"a""b"', '"a""b"'],
    ['Größe', undefined],
    ['users; drop table users', undefined],
    ['users"', undefined],
    ['"users" where true --', undefined],
    ['"a"b"', undefined],
    ['a.b.c', undefined],
    ['', undefined],
    ['""', undefined],
    ['"a\0"', undefined],
    ['x'.repeat(64), undefined],
  ])('%j is %j', (text, quoted) => {
    if (quoted === undefined) {
      expect(() => quoteTable(text, 'roster.users.table')).toThrow(expect.objectContaining({ kind: 'misconfigured' }));
    } else {
      expect(quoteTable(text, 'roster.users.table')).toBe(quoted);
    }
  });

  test('a column is taken as it is', () => {
    expect(quoteColumn('matrixUserId', 'x')).toBe('"matrixUserId"');
    expect(quoteColumn('"matrixUserId"', 'x')).toBe('"matrixUserId"');
    expect(quoteColumn('Größe; drop table x --', 'x')).toBe('"Größe; drop table x --"');
    for (const bad of ['', '"a"b"', 'a"b', 'a\0', 'ä'.repeat(32)]) {
      expect(() => quoteColumn(bad, 'x')).toThrow(expect.objectContaining({ kind: 'misconfigured' }));
    }
  });

  test('a roster with a bad one is not opened', () => {
    const bad = tables('x');
    bad.users.matrixId = '"mxid" = "mxid" or true --';
    expect(() => new PostgresRoster({ url: 'postgres://x@127.0.0.1/x' }, bad)).toThrow(
      expect.objectContaining({
        kind: 'misconfigured',
        message: expect.stringContaining('roster.users.matrixId') as string,
      }),
    );
  });
});

test('a server that takes the connection and says nothing is unavailable after 5 s', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  await using roster = new PostgresRoster({ url: `postgres://x@127.0.0.1:${port}/x` }, tables('x'));
  await expect(roster.setStatus('1', 'active')).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
  silent.close();
});

describe('with a real PostgreSQL', () => {
  let stack: Stack;
  let appUrl: string;
  const cleanUp = new AsyncDisposableStack();
  const open = (prefix: string, url = appUrl): PostgresRoster =>
    cleanUp.use(new PostgresRoster({ url }, tables(prefix)));

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'opsroom-roster-'));
    cleanUp.defer(() => rm(dir, { recursive: true, force: true }));
    stack = cleanUp.use(await openStack({ dir, log: () => undefined, parts: ['synapse'] }));
    ({ appUrl } = stack.postgres);
    const uuid = '00000000-0000-4000-8000-000000000001';
    await stack.sql('app', [
      'create schema typed; create schema strict; create schema secret;',
      "create type typed.state as enum ('active', 'suspended', 'new');",
      'create table typed.people (id uuid primary key, mxid varchar(255), state typed.state);',
      'create table typed.members (person uuid, project int);',
      'create table typed.creds (person uuid);',
      `insert into typed.people values ('${uuid}', '@a:opsroom.test', 'active'), (gen_random_uuid(), null, 'new');`,
      "create table strict.people (id int primary key, mxid text, state text check (state in ('active', 'gone')));",
      'create table strict.members (id text primary key, person int, project text);',
      'create table strict.creds (person int);',
      "insert into strict.people values (1, '@a:opsroom.test', 'active'), (2, 'not an mxid', 'active'), (3, null, null);",
      'create table secret.people (id int, mxid text, state text);',
      'grant usage on schema typed, strict, secret to app; grant all on all tables in schema typed, strict to app;',
    ]);
  }, installMs);
  afterAll(async () => cleanUp.disposeAsync());

  test('takes UUIDs, numbers and enums, and keeps rows single where the table does not', async () => {
    const roster = open('typed');
    const found = await roster.findByMatrix('@a:opsroom.test' as UserId);
    expect(found).toMatchObject({ status: 'active' });
    const id = found?.id ?? '';
    await roster.addMemberships(id, ['1', '2']);
    await roster.addMemberships(id, ['2', '3', '3']);
    await roster.setStatus(id, 'suspended');
    expect(await roster.snapshot(id)).toEqual({
      id,
      rawStatus: 'suspended',
      projects: ['1', '2', '3'],
      credentials: 0,
    });
    expect(await roster.removeMemberships(id)).toBe(3);
    expect(await roster.findById('not-a-uuid')).toBeUndefined();
  });

  test('several projects are added together or not at all', async () => {
    const roster = open('typed');
    const { id } = (await roster.findByMatrix('@a:opsroom.test' as UserId)) ?? { id: '' };
    await expect(roster.addMemberships(id, ['7', 'no-number'])).rejects.toMatchObject({
      kind: 'invalid',
      effect: 'none',
    });
    expect((await roster.snapshot(id)).projects).toEqual([]);
  });

  test('people without a Matrix id are nobody here; one that is none is said', async () => {
    const roster = open('strict');
    expect(await roster.findById('3')).toBeUndefined();
    await expect(roster.findById('2')).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
  });

  test('what the application does not allow is told apart, with nothing changed', async () => {
    const roster = open('strict');
    await expect(roster.setStatus('1', 'suspended')).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
    await expect(roster.addMemberships('1', ['x'])).rejects.toMatchObject({ kind: 'misconfigured', effect: 'none' });
    await expect(open('secret').findById('1')).rejects.toMatchObject({ kind: 'misconfigured', effect: 'none' });
    await expect(open('nowhere').findById('1')).rejects.toMatchObject({ kind: 'misconfigured', effect: 'none' });
    expect(await roster.findById('1')).toMatchObject({ status: 'active' });
  });

  test('a refused password and a bad address are told without showing them', async () => {
    const wrong = new URL(appUrl);
    wrong.password = 'hunter2hunter2';
    const refused: unknown = await open('strict', wrong.href)
      .findById('1')
      .catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ kind: 'misconfigured', effect: 'none' });
    expect(inspect(refused, { depth: 20, showHidden: true })).not.toContain('hunter2');
    const bad = ['app:hunter2@127.0.0.1', 'http://app:hunter2@127.0.0.1/x', 'postgres://app:hunter2@127.0.0.1:99999/x'];
    for (const url of bad) {
      let thrown: unknown;
      try {
        open('strict', url);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ kind: 'misconfigured' });
      expect(inspect(thrown, { depth: 20, showHidden: true })).not.toContain('hunter2');
    }
  });

  test('a database that went away is unavailable, and is found again by itself', async () => {
    const roster = open('strict');
    await roster.findById('1');
    await stack.postgres.stop();
    try {
      await expect(roster.findById('1')).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
      await expect(roster.setStatus('1', 'active')).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
    } finally {
      await stack.postgres.start();
    }
    await roster.setStatus('1', 'active');
  }, 60_000);

  test('a statement that others hold up ends in 10 s, with nothing changed', async () => {
    const roster = open('strict');
    const held = stack.sql('app', ['begin; lock table strict.people; select pg_sleep(11); rollback;']);
    await expect
      .poll(() => stack.sql('app', ["select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted"]), {
        timeout: 5000,
      })
      .toContain('1');
    const startMs = performance.now();
    await expect(roster.setStatus('1', 'active')).rejects.toMatchObject({ kind: 'unavailable', effect: 'none' });
    expect(performance.now() - startMs).toBeGreaterThan(9000);
    await held;
  }, 30_000);
});
