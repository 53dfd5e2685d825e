import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import ack from '#commands/ack.ts';
import alert from '#commands/alert.ts';
import alerts from '#commands/alerts.ts';
import oncall from '#commands/oncall.ts';
import page from '#commands/page.ts';
import type { UserId } from '#domain/accounts.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Reply } from '#domain/messages.ts';
import type { Caller, ChangeCommand, Query, RunHands } from '#engine/command.ts';
import { AlertDesk, room, textOf, user } from '#test/fixtures/alert-desk.ts';

let desk: AlertDesk;
beforeEach(() => {
  desk = new AlertDesk();
});
afterEach(() => desk[Symbol.dispose]());

const bot = (): BotInfo => ({
  user: user('opsroom'),
  opsRoom: room,
  site: 'main',
  prefix: '!',
  timezone: 'UTC',
  version: '0.1.0',
  startedAt: 0,
  off: [],
});
const ports = () => ({ incidents: desk.desk, operators: desk.storage.operators, clock: desk.clock, bot: bot() });
const caller = (set: Partial<Caller> = {}): Caller => ({
  user: user('bob'),
  role: 'operator',
  proof: 'clear',
  room,
  thread: undefined,
  at: desk.clock.now(),
  signal: new AbortController().signal,
  ...set,
});
const hands = {
  step: (_key: string, act: (signal: AbortSignal) => Promise<unknown>) => act(new AbortController().signal),
};

/** As the door does it: schema, prepare, plan, apply. */
async function change(command: ChangeCommand, args: object, set?: Partial<Caller>): Promise<string> {
  const parsed = command.args.parse(args);
  const { plan } = await command.prepare(parsed, ports() as never, caller(set));
  const bound = command.plan.parse(JSON.parse(JSON.stringify(plan)));
  expect(textOf(command.describe(bound, undefined, ports()))).not.toBe('');
  return textOf(await command.apply(bound, ports() as never, hands as unknown as RunHands<string>));
}
async function ask(command: Query, args: object = {}, set?: Partial<Caller>): Promise<{ reply: Reply; text: string }> {
  const parsed = command.args.parse(args);
  const reply = command.view(await command.answer(parsed, ports() as never, caller(set)), parsed, ports());
  return { reply, text: textOf(reply) };
}

describe('!alerts and !alert', () => {
  it('list the worst first, and tell the story of one', async () => {
    expect((await ask(alerts)).reply).toMatchObject({ title: 'No alerts.', verdict: 'ok' });
    desk.fire({ name: 'DiskFull', severity: 'warning' }, { name: 'SynapseDown' });
    const list = await ask(alerts);
    expect(list.reply).toMatchObject({ title: '2 open, 1 critical', verdict: 'critical' });
    expect(list.text).toMatch(/a2.*SynapseDown.*a1.*DiskFull/s);
    const one = await ask(alert, { id: 'a2' });
    expect(one.text).toMatch(/opened by alertmanager.*paged @bob:example.org \(step 1\).*alertname="SynapseDown"/s);
    expect(one.reply.offers).toEqual([{ text: 'Acknowledge', command: 'ack a2' }]);
    await expect(ask(alert, { id: 'a99' })).rejects.toThrow(/no incident a99/);
    await expect(ask(alert)).rejects.toThrow(/Which alert/);
    desk.fire({ name: 'DiskFull', firing: false });
    expect((await ask(alerts)).text).not.toContain('DiskFull');
    desk.fire({ name: 'Down', title: 'Nobody can call.' });
    expect((await ask(alerts)).text).toContain('Nobody can call, since');
    expect((await ask(alerts, { all: true })).text).toContain('DiskFull');
  });
});

describe('!ack', () => {
  const until = (id: number): number => ((desk.desk.find(id)?.incident.ackedUntil ?? 0) - desk.clock.now()) / 60_000;

  it.each([
    ['a1', [60, undefined]],
    ['A1 2h', [120, undefined]],
    ['1, a2 30m', [30, 30]],
    ['all', [60, 60]],
    ['all 1d', [1440, 1440]],
  ])('%s', async (what, expected) => {
    desk.fire({ name: 'A' }, { name: 'B' });
    expect(await change(ack, { what })).toContain('a1');
    expect((await ask(alert, { id: 'a1' })).text).toMatch(/acknowledged until \d{4}-\d\d-\d\d \d\d:\d\d \+/);
    for (const [at, minutes] of expected.entries()) {
      if (minutes === undefined) expect(desk.desk.find(at + 1)?.incident.state).toBe('paged');
      else expect(until(at + 1)).toBe(minutes);
    }
  });

  it.each([undefined, '', '2h'])('in the thread of an alert needs no id: %j', async (what) => {
    desk.fire({ name: 'A', group: 'g' }, { name: 'B', group: 'g' }, { name: 'C' });
    const thread = desk.deliver().find(({ row, rings }) => row.about.id === 1 && !rings)?.event;
    expect(await change(ack, { what }, { thread })).toContain('a1, a2');
    expect(desk.desk.find(3)?.incident.state).toBe('paged');
    expect(until(1)).toBe(what === '2h' ? 120 : 60);
  });

  it.each([
    ['', /Which alert/],
    ['a1 30s', /from 1 minute to 7 days/],
    ['a1 8d', /from 1 minute to 7 days/],
    ['everything', /not an incident/],
    ['a7', /no incident a7/],
  ])('"%s" is refused', async (what, why) => {
    desk.fire({});
    await expect(change(ack, { what })).rejects.toThrow(why);
    expect(desk.desk.find(1)?.incident.state).toBe('paged');
  });

  it('all, when there is nothing', async () => {
    expect(await change(ack, { what: 'all' })).toContain('Nothing is waiting');
  });
});

describe('!oncall', () => {
  it('who, until when, who next', async () => {
    const { text } = await ask(oncall);
    expect(text).toContain(`primary: ${user('bob')} until 2026-08-10 09:00 +00:00, then ${user('alice')}`);
    expect(text).toContain(`2026-08-17 09:00 +00:00 primary: ${user('bob')}`);
  });

  it('without a rota says who is called instead', async () => {
    desk[Symbol.dispose]();
    desk = new AlertDesk({ layers: [] });
    const { reply, text } = await ask(oncall);
    expect(reply.verdict).toBe('warning');
    expect(text).toContain(user('alice'));
  });
});

describe('!page', () => {
  it.each([
    ['@oncall:example.org', user('bob')],
    ['@alice:example.org', user('alice')],
  ])('%s', async (to, expected) => {
    expect(await change(page, { user: to as UserId, text: 'the shop is down' })).toContain(`a1: paging ${expected}`);
    expect(desk.deliver().find(({ rings }) => rings)?.mentions).toEqual([expected]);
  });
});
