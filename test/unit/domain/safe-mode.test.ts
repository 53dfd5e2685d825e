import { expect, test } from 'vitest';
import { type CommandRule, decide, type Decision } from '#domain/policy.ts';
import { botUser, idOf, team } from '#test/fakes/house.ts';

const closed = { why: 'the disk under dataDir is full', hint: 'Make room there.' };
const ask = (command: Partial<CommandRule>, paused?: { by: ReturnType<typeof idOf>; reason: string }): Decision =>
  decide({
    actor: idOf('alice'),
    joined: true,
    proof: 'clear',
    command: { name: 'disable', role: 'operator', change: true, confirm: 'none', runsPaused: false, ...command },
    people: team,
    paused,
    closed,
    protect: { bot: botUser, adminUser: undefined, serverName: 'example.org' },
  });

test('F3, trust 5: in safe mode changes are refused with the reason and what to do; reads, pages and acks go on', () => {
  const refusal = {
    allow: false,
    why: 'The bot is in safe mode and changes nothing: the disk under dataDir is full.',
    hint: 'Make room there.',
  };
  expect(ask({})).toEqual(refusal);
  expect(ask({}, { by: idOf('bob'), reason: 'x' })).toEqual(refusal);
  expect(ask({ name: 'ack', runsPaused: true })).toMatchObject({ allow: true });
  expect(ask({ name: 'health', change: false })).toMatchObject({ allow: true });
});
