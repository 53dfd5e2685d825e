import { describe, expect, test } from 'vitest';
import type { IncidentDesk } from '#domain/incident-desk.ts';
import { idOf, person } from '#test/fakes/house.ts';
import { Place } from '#test/fixtures/place.ts';

const dayMs = 24 * 3_600_000;
const owners = [person('alice', 'owner', ['alice-admin']), person('olga', 'owner'), person('carol', 'operator')];
const open = () => {
  const place = new Place({ people: owners });
  place.house.join('olga', 'mallory');
  return place;
};
/** Typed, and confirmed by whoever typed it. */
const order = async (house: Place['house'], who: string, text: string): Promise<string> => {
  await house.say(who, text);
  await house.react(who, '✅');
  return house.last();
};

describe('!people', () => {
  test('whom one owner added counts as them for a day, and the list says so; another owner confirms', async () => {
    await using house = open().house;
    await order(house, 'alice', '!people add mallory operator');
    expect(house.room.texts().join()).toContain('Where two people are needed they count as @alice:example.org');
    expect((await house.say('carol', '!people')).join()).toContain(
      'by @alice:example.org alone: counts as @alice:example.org',
    );
    expect((await house.say('alice', '!people add mallory operator')).join()).toContain(
      'added by @alice:example.org alone',
    );
    expect((await house.say('alice-admin', '!people add mallory operator')).join()).toContain(
      'Another owner can confirm',
    );
    expect(await order(house, 'olga', '!people add mallory operator')).toContain('is confirmed as operator by @olga');
    expect((await house.say('carol', '!people')).join()).toContain('by @alice:example.org and @olga:example.org');
    expect((await house.say('olga', '!people add mallory operator')).join()).toContain('is operator already.');
    expect(house.operators.find(idOf('mallory'))).toMatchObject({ addedBy: idOf('alice'), confirmedBy: idOf('olga') });
  });

  test('after a day nobody has to', async () => {
    await using house = open().house;
    await order(house, 'alice', '!people add mallory operator');
    await house.clock.advance(dayMs);
    expect((await house.say('olga', '!people add mallory operator')).join()).toContain('is operator already.');
  });

  test('admin and up takes two owners, and who came by two counts at once', async () => {
    await using house = open().house;
    await house.say('alice', '!people add mallory admin');
    expect(house.question().text).toContain('A second person has to answer, not @alice:example.org: @olga:example.org');
    await house.approve('carol');
    expect(house.states()).toEqual(['waiting']);
    await house.approve('olga');
    expect(house.last()).toContain('is now admin.');
    expect(house.operators.find(idOf('mallory'))).toMatchObject({ addedBy: idOf('alice'), confirmedBy: idOf('olga') });
    // Down again takes two as well.
    await house.say('olga', '!people set mallory viewer');
    expect(house.question().text).toContain('A second person has to answer');
    await house.say('olga', '!people remove mallory');
    expect(house.question().text).toContain('A second person has to answer');
  });

  test('set changes a role, and only that', async () => {
    await using house = open().house;
    expect((await house.say('alice', '!people set mallory viewer')).join()).toMatch(
      /has no role yet\..*!people add @mallory:example\.org viewer/s,
    );
    await order(house, 'alice', '!people add mallory operator');
    expect(await order(house, 'alice', '!people set mallory viewer')).toContain('is now viewer.');
    expect(house.last()).toContain('!people set @mallory:example.org operator');
    expect(house.operators.find(idOf('mallory'))?.role).toBe('viewer');
  });

  test('the fixed ones are said to be so, with what helps, by every account of theirs', async () => {
    await using house = open().house;
    for (const line of ['add carol viewer', 'set carol viewer', 'remove carol', 'set olga admin'])
      expect((await house.say('alice', `!people ${line}`)).join(), line).toMatch(
        /is fixed in the settings file, as \w+\..*Change it there under people and/s,
      );
    expect((await house.say('olga', '!people set alice-admin viewer')).join()).toContain('@alice:example.org is fixed');
  });
});

describe('an answer', () => {
  test('takes its code as phones and people give it', async () => {
    for (const dress of [
      (code: string) => `${code}.`,
      (code: string) => `\`${code}\``,
      (code: string) => code.toUpperCase(),
    ]) {
      await using house = open().house;
      await house.say('carol', '!disable mallory spam');
      await house.say('carol', `!approve ${dress(house.code())}`);
      expect(house.states()).toEqual(['done']);
    }
  });

  test('without a code answers nothing, and shows which questions could be meant', async () => {
    await using house = open().house;
    expect((await house.say('carol', '!approve')).join()).toContain('No question waits for an answer of yours.');
    await house.say('carol', '!disable mallory spam');
    const code = house.code();
    expect((await house.say('carol', '!approve')).join()).toMatch(
      new RegExp(`One question waits for you.*disable @mallory:example.org, asked by @carol.*!approve ${code}`, 's'),
    );
    expect((await house.say('alice', '!approve')).join()).toContain('No question waits for an answer of yours.');
    await house.say('carol', '!disable vera spam');
    expect((await house.say('carol', '!deny')).join()).toMatch(new RegExp(`Which one.*!deny ${code}`, 's'));
    expect(house.states()).toEqual(['waiting', 'waiting']);
  });

  test('!pending names who can give it', async () => {
    await using house = open().house;
    await house.say('alice', '!people add mallory admin');
    const said = (await house.say('carol', '!pending')).join();
    expect(said).toContain('@olga:example.org');
    expect(said).not.toContain('another owner');
  });
});

test('!resume is for who paused, by whichever account, and owners', async () => {
  const place = new Place();
  await using house = place.house;
  house.join('alice', 'alice-admin', 'bob', 'carol');
  await house.say('carol', '!pause moving house');
  expect((await house.say('bob', '!resume')).join()).toContain('only they or an owner can resume');
  expect((await house.say('alice', '!resume')).join()).toContain('allowed again');
  await house.say('alice', '!pause again');
  expect((await house.say('alice-admin', '!resume')).join()).toContain('allowed again');
});

test('a viewer pages three times an hour', async () => {
  const incidents = { page: () => ({ id: 1 }), onDuty: () => [] } as unknown as IncidentDesk;
  const place = new Place({ ports: { incidents } });
  await using house = place.house;
  for (let n = 0; n < 3; n += 1) await house.say('vera', `!page oncall help ${n}`);
  expect(house.states()).toHaveLength(3);
  expect((await house.say('vera', '!page oncall help again')).join()).toContain('all that a viewer may');
  expect(house.states()).toHaveLength(3);
  await house.clock.advance(3_600_000);
  await house.say('vera', '!page oncall help later');
  expect(house.states()).toHaveLength(4);
});
