import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AlertDesk, user } from '#test/fixtures/alert-desk.ts';

const minute = 60_000;
let desk: AlertDesk;
beforeEach(() => {
  desk = new AlertDesk();
});
afterEach(() => desk[Symbol.dispose]());

describe('one alert', () => {
  it('is said and paged at once, without a tick', () => {
    desk.fire({});
    const [page, message, ...more] = desk.deliver();
    expect(more).toEqual([]);
    expect(message).toMatchObject({ rings: false, edit: false, mentions: [] });
    expect(message?.text).toContain('🔴 SynapseDown: SynapseDown is not well');
    expect(message?.text).toMatch(/a1.*👍 acknowledges, or !ack a1/s);
    expect(message?.text).toContain(`Paged ${user('bob')}`);
    expect(page).toMatchObject({ rings: true, mentions: [user('bob')] });
    expect(page?.row.lane).toBe('page:1');
    expect(page?.text).toMatch(/Critical, since 09:00 \+00:00.*!ack a1/s);
  });

  it('a warning is shown and pages nobody', async () => {
    desk.fire({ severity: 'warning' });
    const said = [...desk.deliver(), ...(await desk.pass(2 * 60 * minute))];
    expect(said).toHaveLength(1);
    expect(said[0]).toMatchObject({ rings: false });
    expect(said[0]?.text).toContain('🟠');
  });

  it('sent again and again it is one incident and one message', async () => {
    desk.fire({});
    desk.deliver();
    for (let i = 0; i < 10; i += 1) desk.fire({});
    expect(await desk.pass(2 * minute)).toEqual([]);
    expect(desk.desk.list({})).toHaveLength(1);
    expect(Object.fromEntries(desk.fates)).toEqual({ new: 1, dedup: 10 });
  });

  it('twice in one batch it is one incident', () => {
    desk.fire({}, {});
    expect(desk.desk.list({})).toHaveLength(1);
  });

  it('resolved: the message turns green by an edit, and nobody is paged again', async () => {
    desk.fire({});
    const message = desk.deliver()[1];
    await desk.pass(minute);
    desk.fire({ firing: false });
    const [edit, ...more] = desk.deliver();
    expect(more).toEqual([]);
    expect(edit).toMatchObject({ edit: true, rings: false });
    expect(edit?.row.replaces).toBe(message?.row.id);
    expect(edit?.text).toContain('🟢 Resolved after 1 min: SynapseDown');
    expect(await desk.pass(60 * minute)).toEqual([]);
  });

  it('back within ten minutes it is the same incident and message, and pages anew; later it is a new one', async () => {
    desk.fire({});
    desk.deliver();
    await desk.pass(5 * minute - 1000);
    desk.fire({ firing: false });
    await desk.pass(9 * minute);
    desk.fire({});
    const back = await desk.pass(2000);
    expect(back.map(({ rings, edit }) => ({ rings, edit }))).toContainEqual({ rings: true, edit: false });
    expect(desk.desk.list({})).toMatchObject([{ id: 1, reopened: 1 }]);
    desk.fire({ firing: false });
    await desk.pass(11 * minute);
    desk.fire({});
    expect(desk.desk.list({})).toMatchObject([
      { id: 2, reopened: 0 },
      { id: 1, state: 'closed' },
    ]);
  });

  it('an alert that joins its group is shown there and does not ring twice', async () => {
    desk.fire({ name: 'A', group: 'g' });
    desk.deliver();
    await desk.pass(30_000);
    desk.fire({ name: 'B', group: 'g' });
    const said = [...desk.deliver(), ...(await desk.pass(minute))];
    expect(said.map(({ edit, rings }) => [edit, rings])).toEqual([[true, false]]);
    expect(said[0]?.text).toMatch(/2 alerts.*a1 A.*a2 B/s);
    expect(desk.desk.find(2)?.incident).toMatchObject({ state: 'paged', level: 1 });
  });

  it('a new alert in an acknowledged group rings', async () => {
    desk.fire({ name: 'A', group: 'g' });
    desk.deliver();
    desk.desk.ack('all', user('bob'), 60 * minute);
    await desk.pass(minute);
    desk.fire({ name: 'B', group: 'g' });
    const said = await desk.pass(2000);
    expect(said.filter(({ rings }) => rings)).toMatchObject([{ mentions: [user('bob')] }]);
    expect(said.find(({ rings }) => rings)?.text).toContain('a2');
  });
});

describe('escalation', () => {
  const pagesOf = (said: AlertDesk['said']): unknown[] =>
    said.filter(({ rings }) => rings).map(({ mentions }) => mentions);

  it('on call, the next, everyone, and everyone again, each to the second', async () => {
    desk.fire({});
    expect(pagesOf(desk.deliver())).toEqual([[user('bob')]]);
    expect(pagesOf(await desk.pass(5 * minute - 1000))).toEqual([]);
    expect(pagesOf(await desk.pass(1000))).toEqual([[user('alice')]]);
    expect(pagesOf(await desk.pass(10 * minute - 1000))).toEqual([]);
    expect(pagesOf(await desk.pass(1000))).toEqual([[user('bob'), user('alice')]]);
    expect(pagesOf(await desk.pass(15 * minute - 1000))).toEqual([]);
    expect(pagesOf(await desk.pass(1000))).toEqual([[user('bob'), user('alice')]]);
    expect(desk.desk.find(1)?.pages.map((page) => page.level)).toEqual([0, 1, 2, 2, 3, 3]);
  });

  it('👍 on the page stops it, for an hour', async () => {
    desk.fire({});
    const page = desk.deliver().find(({ rings }) => rings);
    expect(desk.alerter.reaction({ event: page?.event ?? '', emoji: '👍🏽', sender: user('bob'), joined: true })).toBe(
      true,
    );
    expect(desk.desk.find(1)?.incident).toMatchObject({ state: 'acked', ackedBy: user('bob') });
    const hour = await desk.pass(60 * minute - 1000);
    expect(pagesOf(hour)).toEqual([]);
    expect(hour.find(({ edit }) => edit)?.text).toContain(`👍 ${user('bob')} until 10:00`);
    const late = await desk.pass(2000);
    expect(pagesOf(late)).toEqual([[user('bob')]]);
    expect(late.find(({ rings }) => rings)?.text).toContain('still not resolved');
  });

  it.each([
    ['a viewer', { sender: user('vera') }],
    ['somebody without a role', { sender: user('mallory') }],
    ['an operator who left the room', { joined: false }],
    ['another emoji', { emoji: '✅' }],
  ])('%s acknowledges nothing', (_who, set) => {
    desk.fire({});
    const event = desk.deliver()[0]?.event ?? '';
    expect(desk.alerter.reaction({ event, emoji: '👍', sender: user('bob'), joined: true, ...set })).toBe(true);
    expect(desk.desk.find(1)?.incident.state).toBe('paged');
  });

  it('a reaction on something else is not ours', () => {
    expect(desk.alerter.reaction({ event: '$other', emoji: '👍', sender: user('bob'), joined: true })).toBe(false);
  });

  it('two thumbs at once are one acknowledgement, and the first one has it', () => {
    desk.fire({});
    const [page, message] = desk.deliver();
    desk.alerter.reaction({ event: message?.event ?? '', emoji: '👍', sender: user('bob'), joined: true });
    desk.alerter.reaction({ event: page?.event ?? '', emoji: '👍', sender: user('alice'), joined: true });
    expect(desk.desk.find(1)?.incident.ackedBy).toBe(user('bob'));
    expect(desk.storage.ledger.audit({ act: 'ack' })).toMatchObject([
      { actor: user('bob'), outcome: 'done', incident: 1 },
    ]);
  });

  it('a page that could not be sent yet is not sent once it is acknowledged or resolved', () => {
    desk.fire({ name: 'A' });
    desk.desk.ack([1], user('bob'), 60 * minute);
    desk.fire({ name: 'B' });
    desk.fire({ name: 'B', firing: false });
    const said = desk.deliver();
    expect(said.filter(({ rings }) => rings)).toEqual([]);
    expect(said).toHaveLength(2);
  });

  it('while Matrix is down pages do not pile up; the one that gets out names all who were to be called', async () => {
    desk.fire({});
    for (let second = 0; second < 6 * 60; second += 1) {
      await desk.clock.advance(1000);
      desk.alerter.tick();
    }
    expect(desk.storage.ledger.outboxDepth().pending).toBe(2);
    const rings = desk.deliver().filter((said) => said.rings);
    expect(rings).toHaveLength(1);
    expect(rings[0]?.mentions.toSorted()).toEqual([user('alice'), user('bob')]);
  });

  it('without a rota every owner is paged, and told why', () => {
    using bare = new AlertDesk({ layers: [] });
    bare.fire({});
    const page = bare.deliver().find(({ rings }) => rings);
    expect(page).toMatchObject({ mentions: [user('alice')] });
    expect(page?.text).toContain('No rota is set');
  });
});

describe('a restart', () => {
  it('at any second changes nothing', async () => {
    using other = new AlertDesk();
    for (const each of [desk, other])
      each.fire({ name: 'A' }, { name: 'B' }, { name: 'C' }, { name: 'D', severity: 'warning' });
    let acked = false;
    for (let second = 0; second < 80 * 60; second += 20) {
      other.restart();
      for (const each of [desk, other]) await each.pass(20_000);
      if (!acked && second > 400) for (const each of [desk, other]) each.desk.ack([1], user('bob'), 10 * minute);
      acked ||= second > 400;
    }
    const story = (each: AlertDesk): unknown[] =>
      each.said.map(({ row, rings, text, mentions }) => [row.dueAt, rings, text, mentions]);
    expect(story(other)).toEqual(story(desk));
    expect(desk.said.length).toBeGreaterThan(10);
  });

  it('after an hour away rings the current step once, not all that were missed', async () => {
    desk.fire({});
    desk.deliver();
    await desk.clock.advance(60 * minute);
    desk.restart();
    const said = await desk.pass(minute);
    expect(said.filter(({ rings }) => rings)).toMatchObject([{ mentions: [user('alice')] }]);
  });

  it('unchanged alerts sent again page nobody', async () => {
    desk.fire({}, { name: 'B' });
    desk.deliver();
    desk.desk.ack('all', user('bob'), 60 * minute);
    await desk.pass(minute);
    for (let i = 0; i < 100; i += 1) {
      desk.restart();
      desk.fire({}, { name: 'B' });
      desk.alerter.tick();
    }
    expect(desk.deliver()).toEqual([]);
  });

  it('an idle tick writes nothing', async () => {
    desk.fire({ severity: 'warning' });
    await desk.pass(10_000);
    const before = desk.storage.ledger.switch('alerts');
    const commit = desk.storage.ledger.commit.bind(desk.storage.ledger);
    let commits = 0;
    desk.storage.ledger.commit = (change) => {
      commits += 1;
      commit(change);
    };
    await desk.pass(60_000);
    expect(commits).toBe(0);
    expect(desk.storage.ledger.switch('alerts')).toEqual(before);
  });
});

describe('by hand', () => {
  it('a page is an incident of its own, rung at once, escalated to the rota', async () => {
    const incident = desk.desk.page(user('alice'), 'the shop is down', user('vera'));
    expect(incident).toMatchObject({ id: 1, source: 'person', title: 'the shop is down' });
    const page = desk.deliver().find(({ rings }) => rings);
    expect(page).toMatchObject({ mentions: [user('alice')] });
    expect(page?.text).toMatch(/the shop is down.*Paged by @vera/s);
    const next = await desk.pass(5 * minute);
    expect(next.filter(({ rings }) => rings)).toMatchObject([{ mentions: [user('alice')] }]);
    expect(desk.desk.ack([1], user('bob'), 30 * minute)).toHaveLength(1);
  });

  it('the same page met again after a crash rings once; typed again a minute later it rings again', async () => {
    desk.desk.page('on-call', 'x', user('vera'));
    desk.desk.page('on-call', 'x', user('vera'));
    expect(desk.deliver().filter(({ rings }) => rings)).toHaveLength(1);
    await desk.pass(minute);
    expect(desk.desk.page('on-call', 'x', user('vera')).id).toBe(1);
    expect(desk.deliver().filter(({ rings }) => rings)).toMatchObject([{ mentions: [user('bob')] }]);
  });

  it('nobody is paged who is not in the room', () => {
    expect(() => desk.desk.page(user('zoe'), 'x', user('vera'))).toThrow(/not in the ops room/);
    expect(desk.desk.list({})).toEqual([]);
  });

  it('ack by id, with its errors', () => {
    desk.fire({ name: 'A' }, { name: 'B' });
    expect(() => desk.desk.ack([9], user('bob'), minute)).toThrow(/no incident a9/);
    desk.fire({ name: 'B', firing: false });
    expect(() => desk.desk.ack([2], user('bob'), minute)).toThrow(/resolved already/);
    expect(desk.desk.ack('all', user('bob'), minute).map(({ id }) => id)).toEqual([1]);
    expect(desk.desk.ack('all', user('bob'), minute)).toEqual([]);
  });

  it('in the thread of an alert it is that alert', () => {
    desk.fire({ name: 'A', group: 'g' }, { name: 'B', group: 'g' }, { name: 'C' });
    for (const { event, row } of desk.deliver()) {
      const expected = row.about.id === 3 ? [3] : [1, 2];
      expect(desk.desk.byEvent(event).map(({ id }) => id)).toEqual(expected);
    }
    expect(desk.desk.byEvent('$none')).toEqual([]);
  });

  it('a line in the thread tells who acknowledged, but not where it was said', async () => {
    desk.fire({ name: 'A' });
    const root = desk.deliver().find(({ rings }) => !rings)?.event ?? '';
    await desk.pass(minute);
    desk.desk.ack([1], user('bob'), 60 * minute);
    const line = desk.deliver().find(({ row }) => row.thread === root);
    expect(line?.text).toContain(`${user('bob')} acknowledged a1`);
    desk.desk.ack([1], user('bob'), 90 * minute, root);
    expect(desk.deliver().filter(({ row }) => row.thread === root)).toEqual([]);
  });

  it('when the disk takes nothing, nothing is stored and the sender hears of it', () => {
    const { ledger } = desk.storage;
    const commit = ledger.commit.bind(ledger);
    ledger.commit = () => {
      throw new Error('disk full');
    };
    expect(() => desk.fire({})).toThrow('disk full');
    ledger.commit = commit;
    expect(desk.desk.list({})).toEqual([]);
    desk.fire({});
    expect(desk.deliver()).toHaveLength(2);
  });
});
