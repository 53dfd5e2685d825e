import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import type { Roster } from '#domain/roster.ts';
import { PostgresRoster } from '#adapters/postgres/roster.ts';
import { openStack } from '#sandbox/stack.ts';
import { FakeRoster } from '#test/fakes/roster.ts';

const installMs = 15 * 60_000;
// A real part on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

type Person = { id: string; user: UserId; rawStatus: string; projects: string[]; credentials: number };
interface RosterWorld extends AsyncDisposable {
  roster: Roster;
  add(person: Person): Promise<void>;
}

function fakeWorld(): Promise<RosterWorld> {
  const roster = new FakeRoster();
  const add = (person: Person): Promise<void> => Promise.resolve(roster.add(person));
  return Promise.resolve({ roster, add, [Symbol.asyncDispose]: () => Promise.resolve() });
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

async function postgresWorld(): Promise<RosterWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'opsroom-roster-'));
  await using opening = new AsyncDisposableStack();
  opening.defer(() => rm(dir, { recursive: true, force: true }));
  const stack = opening.use(await openStack({ dir, log: () => undefined, parts: ['synapse'] }));
  await stack.sql('app', [
    'create schema "Team A"; grant all on schema "Team A" to app; set role app;',
    'create table "Team A"."User" (id text primary key, "matrixUserId" text, status text not null);',
    'create table "Team A"."ProjectMember" ("userId" text, "projectId" text, primary key ("userId", "projectId"));',
    'create table "Team A"."MatrixCredential" (id serial primary key, "userId" text);',
  ]);
  const roster = opening.use(
    new PostgresRoster(
      { url: stack.postgres.appUrl },
      {
        users: {
          table: '"Team A"."User"',
          id: 'id',
          matrixId: 'matrixUserId',
          status: 'status',
          active: 'ACTIVE',
          suspended: 'SUSPENDED',
          onboarding: 'ONBOARDING',
        },
        memberships: { table: '"Team A"."ProjectMember"', user: 'userId', project: 'projectId' },
        credentials: { table: '"Team A"."MatrixCredential"', user: '"userId"' },
      },
    ),
  );
  const opened = opening.move();
  return {
    roster,
    async add({ id, user, rawStatus, projects, credentials }) {
      await stack.sql('app', [
        `insert into "Team A"."User" values (${text(id)}, ${text(user)}, ${text(rawStatus)});`,
        ...projects.map((project) => `insert into "Team A"."ProjectMember" values (${text(id)}, ${text(project)});`),
        `insert into "Team A"."MatrixCredential" ("userId") select ${text(id)} from generate_series(1, ${credentials});`,
      ]);
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

describe.each([
  ['fake', fakeWorld],
  ['PostgreSQL', postgresWorld],
])('Roster on %s', (_name, open) => {
  let world: RosterWorld;
  let roster: Roster;
  beforeAll(async () => {
    world = await open();
    roster = world.roster;
  }, installMs);
  afterAll(async () => world[Symbol.asyncDispose]());

  let made = 0;
  const add = async (person: Partial<Person> = {}): Promise<Person> => {
    made += 1;
    const user = `@person${made}:opsroom.test` as UserId;
    const full = { id: `usr_${made}`, user, rawStatus: 'ACTIVE', projects: [], credentials: 0, ...person };
    await world.add(full);
    return full;
  };

  test.each([
    ['ACTIVE', 'active'],
    ['SUSPENDED', 'suspended'],
    ['ONBOARDING', 'onboarding'],
    ['BANNED', 'other'],
  ])('finds someone whose status is %s by Matrix id and by id', async (rawStatus, status) => {
    const { id, user } = await add({ rawStatus });
    expect(await roster.findByMatrix(user)).toEqual({ id, user, status, rawStatus });
    expect(await roster.findById(id)).toEqual({ id, user, status, rawStatus });
  });

  test('finds nobody it does not know, whatever is asked', async () => {
    expect(await roster.findByMatrix('@nobody:opsroom.test' as UserId)).toBeUndefined();
    expect(await roster.findByMatrix(`@x'or'1'='1:opsroom.test` as UserId)).toBeUndefined();
    expect(await roster.findById('nobody')).toBeUndefined();
  });

  test('refuses to choose when two have the same Matrix id', async () => {
    const { user } = await add();
    await add({ user });
    await expect(roster.findByMatrix(user)).rejects.toMatchObject({ kind: 'conflict', effect: 'none' });
  });

  test('sets each status, repeatably, and only that of the one', async () => {
    const [{ id }, other] = [await add(), await add()];
    for (const status of ['suspended', 'suspended', 'onboarding', 'active'] as const) {
      await roster.setStatus(id, status);
      expect((await roster.findById(id))?.status).toBe(status);
      expect((await roster.findById(other.id))?.status).toBe('active');
    }
  });

  test('takes someone out of all projects and back, repeatably', async () => {
    const { id } = await add({ projects: ['apollo', 'gemini'], credentials: 2 });
    const other = await add({ projects: ['apollo'], credentials: 1 });
    const before = await roster.snapshot(id);
    expect(before).toEqual({ id, rawStatus: 'ACTIVE', projects: ['apollo', 'gemini'], credentials: 2 });
    expect(await roster.removeMemberships(id)).toBe(2);
    expect(await roster.removeMemberships(id)).toBe(0);
    expect(await roster.deleteCredentials(id)).toBe(2);
    expect(await roster.deleteCredentials(id)).toBe(0);
    expect(await roster.snapshot(id)).toEqual({ ...before, projects: [], credentials: 0 });
    expect(await roster.snapshot(other.id)).toMatchObject({ projects: ['apollo'], credentials: 1 });
    await roster.addMemberships(id, before.projects);
    await roster.addMemberships(id, [...before.projects, 'apollo', 'mercury']);
    expect((await roster.snapshot(id)).projects).toEqual(['apollo', 'gemini', 'mercury']);
    await roster.addMemberships(id, []);
  });

  test('an unknown id is not found, and removing from it removes nothing', async () => {
    await expect(roster.snapshot('nobody')).rejects.toMatchObject({ kind: 'notFound', effect: 'none' });
    await expect(roster.setStatus('nobody', 'active')).rejects.toMatchObject({ kind: 'notFound', effect: 'none' });
    expect(await roster.removeMemberships('nobody')).toBe(0);
    expect(await roster.deleteCredentials('nobody')).toBe(0);
  });
});
