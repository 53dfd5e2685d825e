import { describe, expect, test } from 'vitest';
import { withCreators } from '#adapters/matrix/creation.ts';
import { learn, noFacts } from '#adapters/matrix/facts.ts';
import type { MatrixEvent } from '#adapters/matrix/events.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import { powerLacks, powerOf, roleThatCounts, type RoleRules } from '#domain/standing.ts';
import { idOf, opsRoom, person } from '#test/fakes/house.ts';

const state = (type: string, content: Record<string, unknown>, set: Partial<MatrixEvent> = {}): MatrixEvent => ({
  type: `m.room.${type}`,
  state_key: '',
  sender: idOf('alice'),
  content,
  ...set,
});
const room = (version: string | undefined, ...events: MatrixEvent[]): RoomFacts =>
  [state('create', version === undefined ? {} : { room_version: version }), ...events].reduce(learn, noFacts(opsRoom));
const levels = (users: Record<string, unknown>, set: Record<string, unknown> = {}) =>
  state('power_levels', { users, ...set });

describe('a power level', () => {
  test.each([
    ['listed', { [idOf('bob')]: 50 }, {}, 50],
    ['not listed', {}, {}, 0],
    ['not listed, with a default', {}, { users_default: 25 }, 25],
    ['as text, as old rooms may have it', { [idOf('bob')]: ' 50 ' }, { users_default: '7' }, 50],
    ['of nonsense', { [idOf('bob')]: 'much' }, {}, 0],
    ['of half a point', { [idOf('bob')]: 99.5 }, {}, 0],
    ['beyond whole numbers', { [idOf('bob')]: 1e300 }, {}, 0],
    ['below nothing', { [idOf('bob')]: -5 }, {}, -5],
  ])('%s', (_, users, set, power) => {
    expect(powerOf(room('10', levels(users, set)), idOf('bob'))).toBe(power);
  });

  test.each([
    ['1', 100],
    ['11', 100],
    [undefined, 100],
    ['12', Number.POSITIVE_INFINITY],
    ['13', Number.POSITIVE_INFINITY],
    ['org.matrix.hydra.11', Number.POSITIVE_INFINITY],
  ])('of who made a room of version %s that lists nobody', (version, power) => {
    expect(powerOf(room(version), idOf('alice'))).toBe(power);
    expect(powerOf(room(version), idOf('bob'))).toBe(0);
  });

  test('of who made it: above all in version 12 whatever is listed, as listed before', () => {
    const demoted = levels({ [idOf('alice')]: 10 });
    expect(powerOf(room('12', demoted), idOf('alice'))).toBe(Number.POSITIVE_INFINITY);
    expect(powerOf(room('11', demoted), idOf('alice'))).toBe(10);
  });

  test('of a further creator is above all in version 12 only', () => {
    const create = (version: string) =>
      learn(noFacts(opsRoom), state('create', { room_version: version, additional_creators: [idOf('bob'), 7] }));
    expect(powerOf(create('12'), idOf('bob'))).toBe(Number.POSITIVE_INFINITY);
    expect(powerOf({ ...create('11'), power: { users: {}, usersDefault: 0 } }, idOf('bob'))).toBe(0);
    expect(powerOf(create('12'), idOf('carol'))).toBe(0);
  });

  test('is unknown as long as nobody said who made the room', () => {
    expect(powerOf(noFacts(opsRoom), idOf('alice'))).toBeUndefined();
    expect(powerOf(undefined, idOf('alice'))).toBeUndefined();
  });

  test('follows the room, and nothing under another state key', () => {
    const before = room('10', levels({ [idOf('bob')]: 50 }));
    expect(powerOf(learn(before, levels({})), idOf('bob'))).toBe(0);
    const forged = levels({ [idOf('mallory')]: 100 });
    expect(learn(before, { ...forged, state_key: idOf('mallory') })).toBe(before);
    expect(learn(before, state('create', { room_version: '12' }, { state_key: 'x', sender: idOf('eve') }))).toBe(
      before,
    );
  });

  test('who may look in is known too', () => {
    const facts = room('10', state('history_visibility', { history_visibility: 'world_readable' }));
    expect(learn(facts, state('guest_access', { guest_access: 'can_join' }))).toMatchObject({
      historyVisibility: 'world_readable',
      guestAccess: 'can_join',
    });
  });
});

describe('who made the room, where the sync leaves it out', () => {
  const here = { ...noFacts(opsRoom), joined: [idOf('alice')] };
  const creation = state('create', { room_version: '12' });
  const asked: string[] = [];
  const answering = (answer: unknown) => async (_method: string, path: string) => {
    asked.push(path);
    if (answer === undefined) throw new Error('away');
    return answer as Record<string, unknown>;
  };

  test('is asked for by itself, once', async () => {
    const facts = await withCreators(here, answering([levels({}), creation]));
    expect(powerOf(facts, idOf('alice'))).toBe(Number.POSITIVE_INFINITY);
    expect(asked).toEqual([`/_matrix/client/v3/rooms/${encodeURIComponent(opsRoom)}/state`]);
    expect(await withCreators(facts, answering(undefined))).toBe(facts);
    expect(asked).toHaveLength(1);
  });

  test('stays unknown when it cannot be had, and is not asked of a room that nobody is in', async () => {
    for (const answer of [undefined, {}, [], [state('topic', {})]])
      expect((await withCreators(here, answering(answer))).creators).toBeUndefined();
    const before = asked.length;
    await withCreators(noFacts(opsRoom), answering([creation]));
    expect(asked).toHaveLength(before);
  });
});

describe('the role that counts', () => {
  const rules: RoleRules = { operator: { powerLevel: 50, grants: [] }, owner: { powerLevel: 100, grants: [] } };
  const bob = (role: Parameters<typeof person>[1]) => person('bob', role);
  test.each([
    ['viewer', 0, 'viewer'],
    ['operator', 49, 'viewer'],
    ['operator', 50, 'operator'],
    ['admin', 49, 'viewer'],
    ['admin', 50, 'admin'],
    ['owner', 99, 'admin'],
    ['owner', 100, 'owner'],
    ['owner', Number.POSITIVE_INFINITY, 'owner'],
    ['owner', undefined, 'viewer'],
  ] as const)('%s with power %s counts as %s', (role, power, counts) => {
    expect(roleThatCounts(bob(role), power, rules)).toBe(counts);
  });

  test('without the setting no power level is asked, also when none is known', () => {
    expect(roleThatCounts(bob('admin'), undefined, {})).toBe('admin');
    expect(roleThatCounts(bob('owner'), undefined)).toBe('owner');
    expect(roleThatCounts(undefined, 100, {})).toBeUndefined();
  });

  test('a viewer may lack power too', () => {
    expect(roleThatCounts(bob('owner'), 0, { viewer: { powerLevel: 1, grants: [] } })).toBeUndefined();
  });

  test('what lacks is said', () => {
    expect(powerLacks(bob('admin'), 50, rules)).toBeUndefined();
    expect(powerLacks(bob('admin'), 0, rules)?.why).toBe(
      'You are admin, but that counts only from power level 50 in this room; yours is 0.',
    );
    expect(powerLacks(bob('owner'), 50, rules)?.why).toContain('from power level 100 in this room; yours is 50.');
    expect(powerLacks(bob('owner'), undefined, rules)?.why).toContain('yours is not known yet');
    expect(powerLacks(bob('owner'), 50, rules)?.hint).toContain('room settings');
  });
});
