import { describe, expect, test } from 'vitest';
import help from '#commands/help.ts';
import { OpsError } from '#domain/errors.ts';
import { idOf, opsRoom } from '#test/fakes/house.ts';
import { disabled, Place, untouched } from '#test/fixtures/place.ts';
import { wrongIn } from '#test/fixtures/html-check.ts';

const down = (what: string): OpsError => new OpsError('unavailable', `${what} does not answer.`, { effect: 'unknown' });
const write = async (place: Place, line: string, answer = '✅'): Promise<string> => {
  await place.house.say('carol', line);
  await place.house.react('carol', answer);
  return place.house.last();
};

describe('!disable', () => {
  test('asks with what would happen, and unconfirmed changes nothing', async () => {
    const place = new Place();
    await using house = place.house;
    const [question] = await house.say('carol', '!disable mallory posting spam');
    for (const said of [
      'Disable @mallory:example.org?',
      'Mal <b>Lory</b>',
      '1 session ended, out of 3 rooms',
      'ACTIVE → suspended, 2 projects taken',
      'why: posting spam',
      '1 room with nobody else in it',
      '!enable --return brings',
    ]) {
      expect(question).toContain(said);
    }
    expect(wrongIn(house.question().html)).toEqual([]);
    await house.pass(301_000);
    expect(await place.mallorys()).toEqual(untouched);
  });

  test('confirmed, it takes everything but the room where nobody else is', async () => {
    const place = new Place();
    await using house = place.house;
    const said = await write(place, '!disable mallory posting spam');
    expect(await place.mallorys()).toEqual(disabled);
    expect(house.states()).toEqual(['done']);
    for (const line of [
      '✅ @mallory:example.org is disabled: posting spam',
      '1 session ended',
      'out of 3 of 3 rooms',
      'thrown out of the call',
      `left alone, with nobody else in it: ${place.alone}`,
      'Undo: !enable --return @mallory:example.org',
    ]) {
      expect(said).toContain(line);
    }
    expect(() => place.accounts.login(place.mallory, 'old')).toThrow('Login refused.');
  });

  test('repeated, it finds nothing to do and keeps what was taken first', async () => {
    const place = new Place();
    await using house = place.house;
    await write(place, '!disable mallory spam');
    expect(await house.say('carol', '!disable mallory again')).toEqual([
      expect.stringContaining('@mallory:example.org is disabled already: nothing is left to do.'),
    ]);
    expect(house.states()).toEqual(['done']);
    // Back in a room: that alone is left, and what was taken first stays remembered.
    place.rooms.setMembership(place.shared[0]!, place.mallory, 'join');
    await house.say('carol', '!disable mallory again');
    expect(house.question().text).toContain('already: suspended and locked; what is left:');
    expect(house.question().text).toContain('out of 1 room');
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done', 'done']);
    expect(house.ledger.takenAway('default', place.mallory)?.snapshot).toMatchObject({
      rooms: expect.arrayContaining(place.shared) as unknown,
      projects: ['blue', 'red'],
      rawStatus: 'ACTIVE',
    });
  });

  test('--soft only locks', async () => {
    const place = new Place();
    await using house = place.house;
    await write(place, '!disable --soft mallory cooling down');
    expect(await place.mallorys()).toEqual({ ...untouched, locked: true, inCall: 0 });
    expect(house.last()).toContain('is locked');
  });

  test('a part that is down: partial, the rest is done, and the line that finishes it does', async () => {
    const place = new Place();
    await using house = place.house;
    place.calls.faults.fail('rooms', down('LiveKit'), { times: 3 });
    place.roster.faults.fail('setStatus', down('The application'));
    const [, room] = place.shared;
    place.accounts.faults.fail('leave', down('Synapse'));
    const said = await write(place, '!disable mallory posting spam');
    expect(house.states()).toEqual(['partial']);
    expect(said).toContain('not done: throw out of calls: LiveKit does not answer.');
    expect(said).toContain('not done: set the application status: The application does not answer.');
    expect(said).toContain('not done: leave the rooms: 1 of 3 failed');
    expect(said).toContain('Finish it (safe to repeat): !disable mallory posting spam');
    expect(await place.mallorys()).toMatchObject({ locked: true, suspended: true, devices: 0 });
    expect(room).toBeDefined();
    await write(place, '!disable mallory posting spam');
    expect(house.states()).toEqual(['partial', 'done']);
    expect(await place.mallorys()).toEqual(disabled);
  });

  test('without calls, application and database it says so and does the rest', async () => {
    const place = new Place();
    const { accounts, rooms } = place;
    await place.house[Symbol.asyncDispose]();
    const alone = new Place({ ports: { accounts, rooms } });
    await using house = alone.house;
    await house.say('carol', '!disable mallory spam');
    expect(house.question().text).toContain('calls: off, so nobody is thrown out of one');
    expect(house.question().text).toContain('application: off, so it is left as it is');
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done']);
    expect(
      house
        .steps()
        .filter(({ state }) => state === 'skipped')
        .map(({ key }) => key)
        .toSorted(),
    ).toEqual(['calls', 'projects', 'status', 'tokens']);
  });

  test.each([
    ['opsroom-admin', 'own admin account'],
    ['carol', 'your own target'],
    ['@x:elsewhere.org', 'not an account of example.org'],
    ['nobody', 'There is no account @nobody:example.org'],
  ])('%s: refused', async (target, why) => {
    const place = new Place();
    await using house = place.house;
    if (target.includes('elsewhere'))
      place.accounts.faults.fail('get', new OpsError('notFound', 'There is no account; not an account of example.org'));
    expect((await house.say('carol', `!disable ${target} spam`)).join()).toContain(why);
    expect(house.ledger.runsBy({})).toEqual([]);
  });

  test('a server admin takes two people', async () => {
    const place = new Place();
    await using house = place.house;
    place.accounts.add('root', { admin: true });
    await house.say('carol', '!disable root gone rogue');
    expect((await house.react('carol', '✅')).join()).toContain('needs the role admin');
    expect(place.accounts.peek(idOf('root')).suspended).toBe(false);
    await house.approve('bob');
    expect(place.accounts.peek(idOf('root'))).toMatchObject({ suspended: true, locked: true });
  });

  test('A2 killed before and after every write: it ends once, and everything is taken', async () => {
    let cuts = 0;
    for (const when of ['before', 'after'] as const) {
      // Every third: each point is met in one of the two rounds of the engine's own test.
      for (let write = when === 'before' ? 2 : 3; ; write += 3) {
        const place = new Place({ onDisk: true, cutAt: { write, when } });
        await using house = place.house;
        const tell = async (): Promise<void> => {
          await house.say('carol', '!disable mallory spam', { event: '$d' });
          if (house.power.on && house.states()[0] === 'waiting') await house.react('carol', '✅');
        };
        await tell();
        const cut = !house.power.on;
        if (cut) {
          house.kill();
          await house.reopen();
          await tell();
          await house.pass(2000);
          cuts += 1;
        }
        const name = `${when} write ${write}`;
        expect(house.states(), name).toEqual(['done']);
        expect(await place.mallorys(), name).toEqual(disabled);
        expect(
          house.room.messages().filter(({ mark }) => mark?.kind === 'reply'),
          name,
        ).toHaveLength(1);
        expect(house.ledger.takenAway('default', place.mallory)?.snapshot, name).toMatchObject({
          projects: ['blue', 'red'],
          alone: [place.alone],
        });
        if (!cut) break;
      }
    }
    expect(cuts).toBeGreaterThan(20);
  }, 30_000);
});

describe('!enable', () => {
  test('gives back what was taken, with a password that is in no message', async () => {
    const place = new Place();
    await using house = place.house;
    await write(place, '!disable mallory spam');
    await write(place, '!enable --return mallory');
    expect(house.states()).toEqual(['done', 'done']);
    const [[name, secret] = ['', '']] = [...place.handed];
    const password = secret.split('\n')[1]!;
    expect(password.length).toBeGreaterThan(15);
    expect(house.last()).toContain(`/data/handover/${name}`);
    expect(
      JSON.stringify([
        house.room.events,
        [...house.ledger.auditAll()],
        house.ledger.runsBy({}),
        house.steps(1),
        house.steps(2),
        house.log.entries,
      ]),
    ).not.toContain(password);
    expect(place.accounts.login(place.mallory, password).id).toBeTruthy();
    expect(await place.mallorys()).toMatchObject({
      locked: false,
      suspended: false,
      status: 'ONBOARDING',
      projects: ['blue', 'red'],
      // An invitation is no membership: it isn't given back as one.
      rooms: ['join', 'join', 'leave'],
    });
    expect(house.ledger.holds(house.clock.now())).toEqual([]);
  });

  test('without --return the rooms are offered, and can be asked for later', async () => {
    const place = new Place();
    await using _ = place.house;
    await write(place, '!disable mallory spam');
    expect(await write(place, '!enable mallory')).toContain('!enable --return @mallory:example.org');
    expect(await place.mallorys()).toMatchObject({ locked: false, rooms: ['leave', 'leave', 'leave'], projects: [] });
    await write(place, '!enable --active --return mallory');
    expect(await place.mallorys()).toMatchObject({
      // An invitation is no membership: it isn't given back as one.
      rooms: ['join', 'join', 'leave'],
      projects: ['blue', 'red'],
      status: 'ACTIVE',
    });
  });

  test('a room that cannot be entered is kept for the next try, also over a kill', async () => {
    const place = new Place({ onDisk: true });
    await using house = place.house;
    await write(place, '!disable mallory spam');
    const hung = new OpsError('unavailable', 'Synapse did not answer.');
    place.accounts.faults.fail('joinByAdmin', hung, { times: 1 });
    await write(place, '!enable --return mallory');
    expect(house.states()).toEqual(['done', 'partial']);
    expect(house.last()).toContain('back in 1 of 2 rooms');
    expect(house.ledger.takenAway('default', place.mallory)).toBeDefined();
  });

  test('who is not disabled, or is closed for good: refused with where to look', async () => {
    const place = new Place();
    await using house = place.house;
    expect((await house.say('carol', '!enable mallory')).join()).toContain('@mallory:example.org is not disabled.');
    await place.accounts.deactivate(place.mallory, false);
    expect((await house.say('carol', '!enable mallory')).join()).toContain(
      'is deactivated, which !enable does not undo',
    );
  });
});

describe('!deactivate', () => {
  const asked = async (place: Place, line = '!deactivate mallory'): Promise<void> => {
    await place.house.say('bob', line);
    await place.house.approve('alice');
  };

  test('takes two people, and closes for good', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('bob', '!deactivate mallory');
    expect(house.question().text).toContain('out of 4 rooms (1 with nobody else inside: lost), 1 session ended');
    expect((await house.approve('bob')).join()).toContain('second person');
    expect((await house.approve('carol')).join()).toContain('needs the role admin');
    expect(await place.mallorys()).toEqual(untouched);
    await house.approve('alice');
    expect(house.states()).toEqual(['done']);
    expect(await place.mallorys()).toMatchObject({
      deactivated: true,
      locked: true,
      inCall: 0,
      rooms: ['leave', 'leave', 'leave'],
    });
    expect(house.last()).not.toContain('Undo');
  });

  test('killed while it closes: interrupted, told, and never closed a second time', async () => {
    const place = new Place({ onDisk: true });
    await using house = place.house;
    // The homeserver does it, and the process dies before it hears so.
    place.accounts.faults.fail('deactivate', down('Synapse'), { when: 'after' });
    const before = house.power.writes;
    expect(before).toBeGreaterThan(0);
    await asked(place);
    expect(house.states()).toEqual(['partial']);
    expect(house.last()).toContain('may or may not have been done');
    expect(place.accounts.faults.count('deactivate')).toBe(1);
    house.kill();
    await house.reopen();
    expect(place.accounts.faults.count('deactivate')).toBe(1);
  });
});

describe('!deactivate, cut off', () => {
  const asked = async (place: Place): Promise<string> => {
    await place.house.say('bob', '!deactivate mallory');
    const question = place.house.question().text;
    await place.house.approve('alice');
    return question;
  };

  test('typing it again finishes what was left, without closing twice', async () => {
    const place = new Place();
    await using house = place.house;
    place.accounts.faults.fail('deactivate', down('Synapse'), { when: 'after' });
    await asked(place);
    expect(house.states()).toEqual(['partial']);
    expect(await place.mallorys()).toMatchObject({ deactivated: true, locked: false, inCall: 1 });
    expect(await asked(place)).toContain('is closed already. Finish what was left?');
    expect(house.states()).toEqual(['partial', 'done']);
    expect(await place.mallorys()).toMatchObject({ deactivated: true, locked: true, inCall: 0, projects: [] });
    expect(place.accounts.faults.count('deactivate')).toBe(1);
    expect(house.ledger.holds(house.clock.now()).map(({ user }) => user)).toEqual([place.mallory]);
    expect((await house.say('bob', '!deactivate mallory')).join()).toContain('is deactivated already.');
  });

  test('an application that is down keeps nobody in, and the line that finishes it does', async () => {
    const place = new Place();
    await using house = place.house;
    place.roster.faults.fail('findByMatrix', down('The application'), { times: 9 });
    expect(await asked(place)).toContain('application: cannot be asked, so this will be left to do');
    expect(house.states()).toEqual(['partial']);
    expect(await place.mallorys()).toMatchObject({ deactivated: true, locked: true, status: 'ACTIVE' });
    place.roster.faults.clear();
    await asked(place);
    expect(house.states()).toEqual(['partial', 'done']);
    expect(await place.mallorys()).toMatchObject({ status: 'SUSPENDED', projects: [] });
  });
});

describe('!enable while the application is down, and after a lock alone', () => {
  test('the account is usable, and the application is left to do', async () => {
    const place = new Place();
    await using house = place.house;
    await write(place, '!disable mallory spam');
    place.roster.faults.fail('findByMatrix', down('The application'), { times: 9 });
    await house.say('carol', '!enable mallory');
    expect(house.question().text).toContain('application: cannot be asked, so this will be left to do');
    await house.react('carol', '✅');
    expect(house.states()).toEqual(['done', 'partial']);
    expect(house.last()).toContain('not done: set the application status: The application does not answer.');
    expect(await place.mallorys()).toMatchObject({ locked: false, suspended: false, status: 'SUSPENDED' });
    place.roster.faults.clear();
    await write(place, '!enable mallory');
    expect(await place.mallorys()).toMatchObject({ status: 'ONBOARDING' });
  });

  test('a lock never touched the application, so its end does not either', async () => {
    const place = new Place();
    await using house = place.house;
    await write(place, '!disable --soft mallory cooling down');
    expect((await house.say('carol', '!disable --soft mallory again')).join()).not.toContain('is disabled already');
    await house.react('carol', '❌');
    await house.say('carol', '!enable mallory');
    expect(house.question().text).toContain('application: ACTIVE, as it is');
    await house.react('carol', '✅');
    expect(await place.mallorys()).toMatchObject({ locked: false, status: 'ACTIVE' });
  });
});

describe('!people', () => {
  test('a role given by an owner works at once, and is gone at once', async () => {
    const place = new Place();
    await using house = place.house;
    house.join('mallory');
    expect((await house.say('mallory', '!disable vera spam')).join()).toContain('you have no role');
    expect((await house.say('bob', '!people add mallory operator')).join()).toContain('needs the role owner');
    await house.say('alice', '!people add mallory operator');
    await house.react('alice', '✅');
    expect(house.last()).toContain('@mallory:example.org is now operator.');
    expect((await house.say('mallory', '!whoami')).join()).toContain('operator');
    await house.say('alice', '!people remove mallory');
    await house.react('alice', '✅');
    expect((await house.say('mallory', '!disable vera spam')).join()).toContain('you have no role');
    expect(house.ledger.audit({ act: 'people' }).map(({ outcome }) => outcome)).toContain('done');
  });

  test('an admin takes two people; the fixed ones are of the settings', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('alice', '!people add mallory admin');
    expect(house.ledger.openPrompts()).toEqual([]);
    expect(house.last()).toContain('needs a second person with the role owner');
    expect((await house.say('alice', '!people add bob viewer')).join()).toContain('fixed in the settings file');
    expect((await house.say('alice', '!people remove bob')).join()).toContain('fixed in the settings file');
  });
});

describe('!pause', () => {
  test('stops changes, but not questions, pages and its own end; a question asked before is refused', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('carol', '!disable mallory spam');
    await house.say('bob', '!pause moving house');
    expect(house.last()).toContain('Changes are paused: moving house.');
    await house.approve('carol', house.code());
    expect(house.states()[0]).toBe('refused');
    expect(await place.mallorys()).toEqual(untouched);
    expect((await house.say('carol', '!disable mallory spam')).join()).toContain(
      'Changes are paused by @bob:example.org: moving house.',
    );
    expect((await house.say('carol', '!disable --dry-run mallory spam')).join()).toContain(
      'Dry run, nothing was changed. Disable @mallory:example.org?',
    );
    expect((await house.say('carol', '!user mallory')).join()).toContain('can log in');
    expect((await house.say('carol', '!resume')).join()).toContain('only they or an owner can resume');
    await house.say('bob', '!resume');
    expect(house.last()).toContain('Changes are allowed again.');
  });
});

describe('the rest of the house’s own words', () => {
  test('!help of one command or a few is about those', async () => {
    await using house = new Place().house;
    expect((await house.say('alice', '!help')).join()).toContain('!help disable explains one.');
    expect((await house.say('alice', '!help disable')).join()).toContain(
      '--dry-run: shows what would happen, and changes nothing',
    );
    expect((await house.say('alice', '!help user')).join()).not.toContain('--dry-run');
    const some = [{ name: 'backup list', usage: 'backup list', args: [], examples: [], change: false }] as never;
    const { title } = help.view(some, {}, { bot: { prefix: '!' } } as never);
    expect(title).toContainEqual({ code: '!help backup list' });
  });

  test('each answers, in HTML of the list, and none of them changes anything', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('carol', '!disable mallory spam');
    for (const line of [
      '!help',
      '!help disable',
      '!help people',
      '!whoami',
      '!ping',
      '!version',
      '!pending',
      '!runs',
      '!runs --open',
      '!run r1',
      '!people',
      '!user mallory',
      '!users',
      '!calls',
      '!audit',
      '!approve ffff',
      '!run r99',
    ]) {
      const said = await house.say('alice', line);
      expect(said, line).toHaveLength(1);
      expect(said[0], line).not.toContain('Internal error');
      expect(said[0], line).not.toContain('undefined');
    }
    for (const { html } of house.room.messages()) expect(wrongIn(html)).toEqual([]);
    expect(await place.mallorys()).toEqual(untouched);
    expect(house.room.events.every(({ thread }) => thread !== undefined)).toBe(true);
    expect(house.ledger.roomFacts(opsRoom)?.joined).toContain(idOf('alice'));
  });

  test('!audit tells when the record was changed', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('carol', '!disable mallory spam');
    expect((await house.say('bob', '!audit')).join()).toContain('🟢 1 entry, none changed');
  });

  test('somebody else’s run is stopped by an admin only', async () => {
    const place = new Place();
    await using house = place.house;
    await house.say('alice', '!disable mallory spam');
    expect((await house.say('carol', '!cancel r1')).join()).toContain(
      'Only @alice:example.org or an admin can stop r1.',
    );
    await house.say('bob', '!cancel r1');
    expect(house.states()).toEqual(['cancelled']);
  });
});
