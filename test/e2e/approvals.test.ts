import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BotMemory } from '#test/fixtures/bot-memory.ts';
import { type Asked, installMs, OpsRoom } from '#test/ops-room.ts';

// Who may say yes, on a real homeserver, in a room in the clear.
let world: OpsRoom;
beforeAll(async () => {
  const settings = { roles: { operator: { powerLevel: 50 } }, livekit: undefined };
  world = await OpsRoom.open({ parts: ['synapse'], settings });
  for (const name of ['dana', 'erin']) {
    const { userId } = world.person(name);
    await world.api('alice', 'POST', `${roomPath()}/invite`, { user_id: userId });
    await world.api(name, 'POST', `${roomPath()}/join`, {});
    const limit = `/_synapse/admin/v1/users/${encodeURIComponent(userId)}/override_ratelimit`;
    await world.api('admin', 'POST', limit, { messages_per_second: 0, burst_count: 0 });
  }
  await world.startBot();
}, installMs);
afterAll(() => world[Symbol.asyncDispose]());

const roomPath = (): string => `/_matrix/client/v3/rooms/${encodeURIComponent(world.seeded.opsRoom.roomId)}`;
const id = (name: string): string => world.person(name).userId;

/** Raises or lowers somebody in the room, by who made it. */
async function power(name: string, level: number): Promise<void> {
  const path = `${roomPath()}/state/m.room.power_levels/`;
  const now = await world.api<{ users: Record<string, number> }>('alice', 'GET', path);
  await world.api('alice', 'PUT', path, { ...now, users: { ...now.users, [id(name)]: level } });
}

const codeOf = ({ prompt }: Asked): string => prompt.mark?.code ?? '';
const locked = async (name: string): Promise<boolean> =>
  (await world.api<{ locked: boolean }>('admin', 'GET', `/_synapse/admin/v2/users/${encodeURIComponent(id(name))}`))
    .locked;

describe('the power level', () => {
  test('is asked beside the list of people; who made the version 12 room stands above all', async () => {
    const create = await world.api<{ room_version?: string }>('alice', 'GET', `${roomPath()}/state/m.room.create/`);
    expect(create.room_version).toBe('12');
    // Alice is in no list of power levels at all.
    const levels = await world.api<{ users: object }>('alice', 'GET', `${roomPath()}/state/m.room.power_levels/`);
    expect(Object.keys(levels.users)).not.toContain(id('alice'));
    expect((await world.ask('alice', '!whoami')).body).toContain('owner');

    const asked = await world.request('carol', '!disable --soft ken for a test');
    await power('carol', 49);
    const late = await world.ask('carol', `!approve ${codeOf(asked)}`);
    expect(late.mark?.outcome).toBe('refused');
    const refused = await world.ask('carol', '!disable --soft ken for a test');
    expect(refused.body).toContain(
      'You are operator, but that counts only from power level 50 in this room; yours is 49',
    );
    expect(await locked('ken')).toBe(false);
    await power('carol', 50);
    expect((await world.order('carol', '!disable --soft ken for a test')).mark?.outcome).toBe('done');
    expect((await world.order('carol', '!enable ken')).mark?.outcome).toBe('done');
    await world.react('carol', asked.prompt.id, '❌');
    expect((await world.end(asked.command)).mark?.outcome).toBe('refused');
  });
});

describe('A8: codes', () => {
  test('A8: of somebody else, used, of an edited command, and after a restart: nothing is done', async () => {
    const asked = await world.request('carol', '!disable --soft ken for a test');
    for (const name of ['bob', 'alice']) {
      const said = await world.ask(name, `!approve ${codeOf(asked)}`);
      expect(said.body).toContain(`Only ${id('carol')}, who asked, may answer this.`);
    }
    await world.send('carol', 'm.room.message', {
      msgtype: 'm.text',
      body: '* !disable --soft laura for a test',
      'm.new_content': { msgtype: 'm.text', body: '!disable --soft laura for a test' },
      'm.relates_to': { rel_type: 'm.replace', event_id: asked.command },
    });
    expect((await world.end(asked.command)).mark?.outcome).toBe('refused');
    expect((await world.ask('carol', `!approve ${codeOf(asked)}`)).body).toContain('closed (cancelled)');

    const used = await world.request('carol', '!disable --soft ken for a test');
    // A phone's full stop does no harm.
    await world.say('carol', `!approve ${codeOf(used)}.`);
    expect((await world.end(used.command)).mark?.outcome).toBe('done');
    expect((await world.order('carol', '!enable ken')).mark?.outcome).toBe('done');
    const open = await world.request('carol', '!disable --soft laura for a test');
    await world.startBot();
    expect((await world.ask('carol', `!approve ${codeOf(used)}`)).body).toContain('closed (granted)');
    expect((await world.ask('bob', `!approve ${codeOf(open)}`)).mark?.outcome).toBe('refused');
    expect([await locked('ken'), await locked('laura')]).toEqual([false, false]);
    expect((await world.ask('carol', '!approve')).body).toContain(`!approve ${codeOf(open)}`);
    await world.say('carol', `!deny ${codeOf(open)}`);
    expect((await world.end(open.command)).body).toContain('nothing was done');
  }, 120_000);
});

describe('two people', () => {
  test('the question rings for one of those who can answer, and names them', async () => {
    const { command, prompt } = await world.request('carol', '!disable --soft ingrid leaving');
    expect(prompt.msgtype).toBe('m.text');
    expect([id('alice'), id('bob')]).toContain(prompt.mentions[0]);
    expect(prompt.mentions).toHaveLength(1);
    expect(prompt.body).toContain(
      `A second person has to answer, not ${id('carol')}: ${id('alice')} or ${id('bob')}, until`,
    );
    expect((await world.ask('carol', '!approve')).body).toContain('No question waits for an answer of yours.');
    expect((await world.ask('bob', '!approve')).body).toContain(`!approve ${prompt.mark?.code ?? ''}`);
    await world.react('bob', prompt.id, '❌');
    expect((await world.end(command)).mark?.outcome).toBe('refused');
    expect(await locked('ingrid')).toBe(false);
  });

  test('an owner makes no second person of their own: neither the second nor the first', async () => {
    await power('dana', 50);
    expect((await world.order('alice', '!people add dana operator')).body).toContain(
      `Where two people are needed they count as ${id('alice')}`,
    );
    // Bob is an admin: one of the two has to be an owner, and alice is the only one.
    const asked = await world.ask('dana', '!disable bob spam');
    expect(asked.mark?.outcome).toBe('refused');
    expect(asked.body).toContain('This needs a second person with the role owner, and there is nobody else.');
    expect((await world.ask('carol', '!people')).body).toContain(`by ${id('alice')} alone: counts as ${id('alice')}`);
    expect((await world.ask('alice', '!people add dana operator')).body).toContain('Another owner can confirm them');
    expect((await world.ask('alice', '!people set carol viewer')).body).toMatch(
      /is fixed in the settings file, as operator\.[^]*under `?people/,
    );
    expect((await world.order('alice', '!people remove dana')).mark?.outcome).toBe('done');
  });

  test('a team of one waits where the settings say so, everybody hears it, and anybody stops it', async () => {
    const people = [{ user: id('alice'), role: 'owner' }];
    const approvals = { alone: { wait: '20m', announce: 'everyone' } };
    await world.startBot({ people });
    expect((await world.ask('alice', '!disable --soft ingrid leaving')).body).toContain('and there is nobody else');
    await world.startBot({ people, approvals });
    const { command, prompt } = await world.request('alice', '!disable --soft ingrid leaving');
    expect(prompt.msgtype).toBe('m.text');
    expect(prompt.mentions.toSorted()).toEqual(['bob', 'carol', 'dana', 'erin'].map(id));
    expect(prompt.body).toContain('this waits 20 min, then it runs');
    expect((await world.ask('alice', `!approve ${prompt.mark?.code ?? ''}`)).mark?.outcome).toBe('refused');
    // Erin has no role at all.
    await world.react('erin', prompt.id, '❌');
    expect((await world.end(command)).body).toContain(`${id('erin')} said no; nothing was done.`);
    expect(await locked('ingrid')).toBe(false);
  });
});

test('every refusal is in the audit, with who, what and why', () => {
  using memory = new BotMemory(world.dataDir);
  const rows = memory.all<{ actor: string; act: string; json: string }>(
    `SELECT actor, act, json FROM audit JOIN audit_detail USING (seq) WHERE outcome = 'denied'`,
  );
  const told = rows.map(({ actor, act, json }) => `${actor} ${act} ${json}`).join('\n');
  expect(told).toMatch(/@carol\S+ disable .*!disable --soft ken.*power level 50/);
  expect(told).toMatch(/@dana\S+ disable .*!disable bob spam.*second person/);
  expect(told).toMatch(/@bob\S+ approve .*who asked, may answer this/);
  expect(memory.verifyAudit()).toMatchObject({ ok: true });
});
