import { describe, expect, test } from 'vitest';
import type { UserId } from '#domain/accounts.ts';
import type { Proof } from '#domain/inbox.ts';
import { type Role, roles } from '#domain/operators.ts';
import { type CommandRule, type Confirmation, decide, type Decision, type Question, stronger } from '#domain/policy.ts';
import type { TouchedUser, Touches } from '#domain/runs.ts';
import type { RoleRules } from '#domain/standing.ts';
import { botUser, idOf, opsRoom, person, team } from '#test/fakes/house.ts';

const people = [...team, person('otto', 'operator'), person('dora', 'admin', ['dora-work']), person('olga', 'owner')];
const rule = (set: Partial<CommandRule> = {}): CommandRule => ({
  name: 'disable',
  role: 'operator',
  change: true,
  confirm: 'caller',
  runsPaused: false,
  ...set,
});
const ask = (actor: string, set: Partial<Question> = {}): Decision =>
  decide({
    actor: idOf(actor),
    joined: true,
    proof: 'clear',
    command: rule(),
    people,
    paused: undefined,
    protect: { bot: botUser, adminUser: idOf('opsroom-admin'), serverName: 'example.org' },
    limits: { users: 5, rooms: 10 },
    ...set,
  });
const on = (...users: Array<string | TouchedUser>): { touches: Touches } => ({
  touches: { users: users.map((user) => (typeof user === 'string' ? { user: idOf(user) } : user)) },
});
const needs = (need: Confirmation): Decision => ({ allow: true, need });
const denied = (why: string) => ({ allow: false, why: expect.stringContaining(why) as string });

describe('6: role, presence, proof', () => {
  const names: Record<Role, string> = { viewer: 'vera', operator: 'carol', admin: 'bob', owner: 'alice' };
  test.each(roles.flatMap((has) => roles.map((least) => [has, least] as const)))(
    '%s calls what needs %s',
    (has, least) => {
      const decision = ask(names[has], { command: rule({ role: least }) });
      if (roles.indexOf(has) >= roles.indexOf(least)) expect(decision).toEqual(needs('caller'));
      else expect(decision).toMatchObject(denied(`!disable needs the role ${least}; you are ${has}.`));
    },
  );

  test('without a role: refused, with who can give one and the line to type', () => {
    expect(ask('mallory')).toEqual({
      allow: false,
      why: '!disable needs the role operator; you have no role.',
      hint: '@alice:example.org or @olga:example.org can type: !people add @mallory:example.org operator',
    });
  });

  test('what needs no role is for everybody in the room', () => {
    const open = rule({ role: undefined, change: false, confirm: 'none' });
    expect(ask('mallory', { command: open })).toEqual(needs('none'));
    expect(ask('mallory', { command: open, joined: false })).toMatchObject(denied('Only members of the room'));
  });

  test.each<[Proof, boolean, boolean]>([
    ['signed-device', true, true],
    ['clear', true, true],
    ['reaction', true, true],
    ['signed-device', false, false],
    ['clear', false, false],
    ['reaction', false, false],
    ['unsigned-device', true, false],
    ['shell', false, true],
    ['internal', false, true],
  ])('proof %s, joined %s: allowed %s', (proof, joined, allow) => {
    expect(ask('alice', { proof, joined }).allow).toBe(allow);
  });

  test('the bot’s own jobs need no role, and no pause stops them', () => {
    const job = { proof: 'internal' as const, joined: false, command: rule({ role: 'operator', confirm: 'caller' }) };
    expect(ask('opsroom', job)).toEqual(needs('none'));
    expect(ask('opsroom', { ...job, paused: { by: idOf('bob'), reason: 'x' } })).toEqual(needs('none'));
    expect(ask('opsroom', { ...job, proof: 'clear', joined: true })).toMatchObject(denied('no role'));
  });

  test('another account of a person has their role; a like-named one elsewhere has none', () => {
    expect(ask('alice-admin')).toEqual(needs('caller'));
    expect(ask('@alice:elsewhere.org')).toMatchObject(denied('no role'));
    expect(ask('Alice')).toMatchObject(denied('no role'));
  });

  test('fail closed: with nobody listed nobody commands', () => {
    expect(ask('alice', { people: [] })).toMatchObject(denied('no role'));
  });
});

describe('6: the power level', () => {
  const roles: RoleRules = { operator: { powerLevel: 50, grants: [] } };
  test('the list alone is not enough when the settings ask for power', () => {
    expect(ask('carol', { roles, power: 50 })).toEqual(needs('caller'));
    expect(ask('carol', { roles, power: 49 })).toEqual({
      allow: false,
      why: 'You are operator, but that counts only from power level 50 in this room; yours is 49.',
      hint: expect.stringContaining('room settings') as string,
    });
    expect(ask('carol', { roles })).toMatchObject(denied('yours is not known yet'));
    expect(ask('bob', { roles, power: 0 })).toMatchObject(denied('You are admin, but'));
    expect(ask('alice', { roles, power: Number.POSITIVE_INFINITY })).toEqual(needs('caller'));
  });
  test('power alone is not enough either', () => {
    expect(ask('mallory', { roles, power: 100 })).toMatchObject(denied('you have no role'));
    expect(ask('vera', { roles, power: 100 })).toMatchObject(denied('you are viewer'));
  });
  test('at the shell nobody stands in the room', () => {
    expect(ask('carol', { roles, power: 0, joined: false, proof: 'shell' })).toEqual(needs('caller'));
  });
  test('whose role does not count ranks by what counts: below their equals', () => {
    const low = { roles: { admin: { powerLevel: 50, grants: [] } }, power: 0 };
    expect(ask('bob', { ...low, ...on('carol') })).toEqual({ ...needs('two-person'), approver: 'owner' });
    expect(ask('bob', { ...low, power: 50, ...on('carol') })).toEqual(needs('caller'));
  });
});

describe('6: the hint leads to what works', () => {
  const added = { ...person('dave', 'operator'), fixed: false };
  const admins = rule({ name: 'deactivate', role: 'admin' });
  test('somebody added in the room is set, a stranger is added, a fixed one is changed in the settings', () => {
    const hint = (name: string): string | undefined => {
      const decision = ask(name, { command: admins, people: [...people, added] });
      return decision.allow ? undefined : decision.hint;
    };
    expect(hint('dave')).toContain('can type: !people set @dave:example.org admin');
    expect(hint('mallory')).toContain('can type: !people add @mallory:example.org admin');
    expect(hint('carol')).toBe('Your role is fixed under `people` in the settings file; it can be changed only there.');
  });
  test('without an owner there is none', () => {
    expect(ask('mallory', { people: [person('bob', 'admin')] })).toEqual({
      allow: false,
      why: '!disable needs the role operator; you have no role.',
    });
  });
});

describe('10: proof in an encrypted room', () => {
  test.each<[Proof, boolean]>([
    ['signed-device', true],
    ['unsigned-device', false],
    ['clear', false],
    ['reaction', false],
    ['shell', true],
    ['internal', true],
  ])('%s: allowed %s', (proof, allow) => expect(ask('alice', { proof, encrypted: true }).allow).toBe(allow));
  test('the words say what to do', () => {
    expect(ask('alice', { proof: 'clear', encrypted: true })).toMatchObject({
      why: expect.stringContaining('This came unencrypted') as string,
      hint: expect.stringContaining('Element') as string,
    });
    expect(ask('alice', { proof: 'unsigned-device' })).toMatchObject({
      why: expect.stringContaining('not verified by its owner') as string,
      hint: expect.stringMatching(/verify this device.*type it again/) as string,
    });
  });
  test('also for what anybody may ask', () => {
    const open = rule({ role: undefined, change: false, confirm: 'none' });
    expect(ask('mallory', { command: open, encrypted: true }).allow).toBe(false);
  });
});

describe('grants', () => {
  const exporting = rule({ name: 'export', role: 'admin' });
  const roles: RoleRules = { operator: { grants: [{ command: 'export', unless: ['target-admin'] }] } };
  test('a role gets a command beyond its own, and so do those above it', () => {
    expect(ask('carol', { command: exporting })).toMatchObject(denied('needs the role admin; you are operator'));
    expect(ask('carol', { command: exporting, roles })).toEqual(needs('caller'));
    expect(ask('carol', { command: exporting, roles, ...on('mallory') })).toEqual(needs('caller'));
    expect(ask('vera', { command: exporting, roles })).toMatchObject(denied('you are viewer'));
    expect(ask('mallory', { command: exporting, roles })).toMatchObject(denied('you have no role'));
    expect(ask('carol', { command: exporting, roles: { viewer: roles.operator } })).toEqual(needs('caller'));
    expect(ask('carol', { command: rule({ name: 'deactivate', role: 'admin' }), roles })).toMatchObject(
      denied('admin'),
    );
  });
  test('not where its condition holds', () => {
    expect(ask('carol', { command: exporting, roles, ...on('bob') })).toEqual({
      allow: false,
      why: 'You may !export, but not on a server admin, or somebody with the role admin or owner.',
      hint: 'Somebody with the role admin can.',
    });
    expect(ask('bob', { command: exporting, roles, ...on('mallory', 'dora') }).allow).toBe(true);
  });
  test('never what only an owner may', () => {
    const owners = rule({ name: 'export', role: 'owner' });
    expect(ask('carol', { command: owners, roles })).toMatchObject(denied('needs the role owner'));
  });
  test('nor to somebody whose role lacks the power to count', () => {
    const strict: RoleRules = { operator: { powerLevel: 50, grants: [{ command: 'export', unless: [] }] } };
    expect(ask('carol', { command: exporting, roles: strict, power: 50 })).toEqual(needs('caller'));
    expect(ask('carol', { command: exporting, roles: strict, power: 0 }).allow).toBe(false);
  });
});

describe('7: who is a target', () => {
  test.each([
    ['opsroom', 'this bot'],
    ['opsroom-admin', 'own admin account'],
    ['carol', 'your own target'],
    ['@mallory:elsewhere.org', 'not an account of example.org'],
    ['@mallory:example.org.evil.org', 'not an account of example.org'],
    ['@mallory:notexample.org', 'not an account of example.org'],
    ['@mallory:sub.example.org', 'not an account of example.org'],
    ['@mallory:EXAMPLE.ORG', 'not an account of example.org'],
    ['@mallory:example.org:8448', 'not an account of example.org'],
  ])('%s never is, not even as one of several', (target, why) => {
    expect(ask('carol', on(target))).toMatchObject(denied(why));
    expect(ask('carol', on('mallory', target))).toMatchObject(denied(why));
  });

  test('nor is another account of the caller', () => {
    expect(ask('alice', on('alice-admin'))).toMatchObject(denied('your own target'));
    expect(ask('alice-admin', on('alice'))).toMatchObject(denied('your own target'));
  });

  test.each<[string, string, Confirmation, Role | undefined]>([
    ['carol', 'mallory', 'caller', undefined],
    ['carol', 'vera', 'caller', undefined],
    ['carol', 'otto', 'two-person', 'owner'],
    ['carol', 'bob', 'two-person', 'owner'],
    ['carol', 'alice', 'two-person', 'owner'],
    ['bob', 'carol', 'caller', undefined],
    ['bob', 'dora', 'two-person', 'owner'],
    ['bob', 'dora-work', 'two-person', 'owner'],
    ['bob', 'alice', 'two-person', 'owner'],
    ['alice', 'carol', 'caller', undefined],
    // The caller is the owner of the two.
    ['alice', 'bob', 'two-person', undefined],
    ['alice', 'olga', 'two-person', undefined],
  ])('%s on %s asks %s, and of an %s', (actor, target, need, approver) => {
    expect(ask(actor, on(target))).toEqual({ ...needs(need), ...(approver === undefined ? {} : { approver }) });
  });

  test.each<[string, TouchedUser]>([
    ['a server admin', { user: idOf('mallory'), admin: true }],
    ["an application service's user", { user: idOf('_ghost'), appService: true }],
  ])('%s takes two people, whoever asks, also among others', (_, target) => {
    expect(ask('alice', on(target))).toEqual(needs('two-person'));
    expect(ask('alice', on('mallory2', target, 'mallory3'))).toEqual(needs('two-person'));
    expect(ask('alice', { command: rule({ confirm: 'none' }), ...on(target) })).toEqual(needs('two-person'));
  });

  test('a question that changes nothing may be about anybody', () => {
    expect(
      ask('vera', { command: rule({ role: 'viewer', change: false, confirm: 'none' }), ...on('opsroom') }),
    ).toEqual(needs('none'));
  });
});

describe('9: caps and the pause', () => {
  const many = (count: number): UserId[] => Array.from({ length: count }, (_, n) => idOf(`user${n}`));
  test.each<[number, Confirmation, Confirmation]>([
    [1, 'caller', 'caller'],
    [5, 'caller', 'caller'],
    [6, 'caller', 'two-person'],
    [5, 'none', 'none'],
    [6, 'none', 'two-person'],
    [5, 'two-person', 'two-person'],
  ])('%i users, %s: %s', (count, confirm, need) => {
    expect(
      ask('alice', { command: rule({ confirm }), touches: { users: many(count).map((user) => ({ user })) } }),
    ).toEqual(needs(need));
  });

  test.each<[number, Confirmation]>([
    [10, 'caller'],
    [11, 'two-person'],
  ])('%i rooms: %s', (count, need) => {
    expect(ask('alice', { touches: { rooms: Array.from({ length: count }, (_, n) => `!r${n}` as never) } })).toEqual(
      needs(need),
    );
  });

  test('without limits in the settings there still are some', () => {
    const { limits: _, ...rest } = { limits: 0, touches: { users: many(6).map((user) => ({ user })) } };
    expect(
      decide({
        actor: idOf('alice'),
        joined: true,
        proof: 'clear',
        command: rule(),
        people,
        paused: undefined,
        protect: { bot: botUser, adminUser: undefined, serverName: undefined },
        ...rest,
      }),
    ).toEqual(needs('two-person'));
  });

  test.each([
    [19, 'caller'],
    [20, 'two-person'],
    [21, 'two-person'],
  ] as const)('%i acts of the last hour: %s', (acts, need) => {
    expect(ask('alice', { recent: { acts, pages: 0 }, command: rule({ name: 'enable' }) })).toEqual(needs(need));
    expect(ask('alice', { recent: { acts, pages: 0 }, limits: { users: 5, rooms: 10, perHour: 22 } })).toEqual(
      needs('caller'),
    );
  });

  const busy = { recent: { acts: 1000, pages: 0 } };
  test.each(['disable', 'lock', 'logout', 'call forbid', 'media quarantine'])(
    'an emergency is never capped: !%s on one ordinary user',
    (name) => {
      expect(ask('alice', { ...busy, command: rule({ name }), ...on('mallory') })).toEqual(needs('caller'));
      // Not on two, not on one of rank, not on nobody.
      expect(ask('alice', { ...busy, command: rule({ name }), ...on('mallory', 'judy') })).toEqual(needs('two-person'));
      expect(ask('alice', { ...busy, command: rule({ name }), ...on('bob') })).toEqual(needs('two-person'));
      expect(ask('alice', { ...busy, command: rule({ name }) })).toEqual(needs('two-person'));
    },
  );
  test.each(['enable', 'unlock', 'deactivate', 'call kick', 'people add'])('!%s is no emergency', (name) => {
    expect(ask('alice', { ...busy, command: rule({ name }), ...on('mallory') })).toEqual(needs('two-person'));
  });
  test('what goes on while paused is not capped, nor is a question', () => {
    expect(ask('alice', { ...busy, command: rule({ runsPaused: true, confirm: 'none' }) })).toEqual(needs('none'));
    expect(ask('alice', { ...busy, command: rule({ change: false, confirm: 'none' }) })).toEqual(needs('none'));
  });

  const page = rule({ name: 'page', role: 'viewer', confirm: 'none', runsPaused: true });
  test.each([
    ['vera', 2, true],
    ['vera', 3, false],
    ['carol', 300, true],
  ])('%s pages again after %i pages of the last hour: %s', (name, pages, allow) => {
    expect(ask(name, { command: page, recent: { acts: 0, pages } }).allow).toBe(allow);
  });
  test('only pages are counted as pages', () => {
    const watch = rule({ name: 'watch', role: 'viewer', confirm: 'none', runsPaused: true });
    expect(ask('vera', { command: watch, recent: { acts: 0, pages: 9 } }).allow).toBe(true);
    expect(ask('vera', { command: page, recent: { acts: 9, pages: 0 } }).allow).toBe(true);
  });

  test('the bot’s own rooms take two people', () => {
    const own = { protect: { bot: botUser, adminUser: undefined, serverName: 'example.org', rooms: [opsRoom] } };
    expect(ask('alice', { ...own, touches: { rooms: [opsRoom] } })).toEqual(needs('two-person'));
    expect(ask('alice', { ...own, touches: { rooms: ['!other' as never, opsRoom] } })).toEqual(needs('two-person'));
    expect(ask('alice', { ...own, touches: { rooms: ['!other' as never] } })).toEqual(needs('caller'));
  });

  const paused = { by: idOf('bob'), reason: 'moving house' };
  test('paused: changes are refused with who and why; the rest goes on', () => {
    expect(ask('alice', { paused })).toEqual({
      allow: false,
      why: 'Changes are paused by @bob:example.org: moving house.',
      hint: '!resume ends the pause.',
    });
    expect(ask('alice', { paused, command: rule({ runsPaused: true, confirm: 'none' }) })).toEqual(needs('none'));
    expect(ask('vera', { paused, command: rule({ role: 'viewer', change: false, confirm: 'none' }) })).toEqual(
      needs('none'),
    );
  });

  test('a role that lacks is told before the pause', () => {
    expect(ask('vera', { paused })).toMatchObject(denied('needs the role operator'));
  });
});

test('the stronger of two confirmations', () => {
  expect(stronger('none', 'caller')).toBe('caller');
  expect(stronger('two-person', 'caller')).toBe('two-person');
  expect(stronger('caller', 'caller')).toBe('caller');
});
