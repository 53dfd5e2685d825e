import { writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { Said } from '#test/fixtures/heard.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// A rule of a real Prometheus, through a real Alertmanager, to a page that rings.
const bob = '@bob:opsroom.test';
const carol = '@carol:opsroom.test';
const stepMs = 4000;
let world: OpsRoom;
beforeAll(async () => {
  const layer = (name: string, user: string) => ({ name, rotation: 'weekly', handoff: 'Mon 09:00', people: [user] });
  const onCall = {
    layers: [layer('primary', bob), layer('secondary', carol)],
    escalation: [
      { after: '0s', notify: 'on-call' },
      { after: '4s', notify: 'next' },
      { after: '8s', notify: 'everyone' },
    ],
  };
  world = await OpsRoom.open({ parts: ['synapse', 'prometheus', 'alertmanager'], settings: { onCall } });
  await world.startBot();
  const alertmanager = await world.stack.alertmanager;
  await alertmanager.setWebhook(world.files.webhookUrl, world.files.webhookSecret);
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

/** Prometheus has these rules, and no others, from now on: each alert and when it ends. */
async function fire(alerts: Record<string, Date>): Promise<void> {
  const prometheus = await world.stack.prometheus;
  const rules = Object.entries(alerts).map(([alert, end]) => ({
    alert,
    expr: `up{job="synapse"} == 1 and on() vector(time()) < ${Math.round(end.getTime() / 1000)}`,
    labels: { severity: 'critical' },
    annotations: { summary: `${alert} is on fire` },
  }));
  await writeFile(prometheus.rulesFile, stringify({ groups: [{ name: 'e2e', rules }] }));
  await prometheus.reload();
}

const later = (ms: number): Date => new Date(Date.now() + ms);

const pagesOf = (alert: string): Said[] =>
  world.room.events.filter((said) => said.mark?.kind === 'page' && said.body.includes(alert));
const page = (alert: string, step: number): Promise<Said> =>
  world.room.waitFor((said) => pagesOf(alert)[step]?.id === said.id, { what: `page ${step + 1} of ${alert}` });

test('the page rings whoever is on call, and 👍 stops the escalation', async () => {
  expect((await world.ask('alice', '!oncall')).body).toContain(bob);
  await fire({ FirstFire: later(3_600_000) });
  const first = await page('FirstFire', 0);
  expect(first).toMatchObject({ msgtype: 'm.text', mentions: [bob], sender: world.bot });
  // The alert itself stands in a message of its own, which rings nobody.
  const isShown = (said: Said): boolean => said.mark?.kind === 'notice' && said.body.includes('FirstFire');
  const shown = await world.room.waitFor(isShown, { what: 'the alert' });
  expect(shown).toMatchObject({ msgtype: 'm.notice', mentions: [] });
  await world.react('bob', first.id, '👍');
  await world.room.waitFor((said) => said.edits === shown.id && said.body.includes('👍 @bob:opsroom.test'), {
    what: 'the acknowledgement in the message',
  });
  await pause(2 * stepMs + 2000);
  expect(pagesOf('FirstFire')).toHaveLength(1);
});

test('unanswered, the next is paged, then everyone; what is over is closed', async () => {
  await fire({ FirstFire: later(3_600_000), SecondFire: later(22_000) });
  const pages = [await page('SecondFire', 0), await page('SecondFire', 1), await page('SecondFire', 2)];
  expect(pages.map(({ msgtype }) => msgtype)).toEqual(['m.text', 'm.text', 'm.text']);
  expect(pages.map(({ mentions }) => mentions.toSorted())).toEqual([
    [bob],
    [carol],
    ['@alice:opsroom.test', bob, carol],
  ]);
  const [first, second, third] = pages.map(({ seenMs }) => seenMs) as [number, number, number];
  expect([second - first, third - second].every((ms) => ms > stepMs - 2000 && ms < stepMs + 3000)).toBe(true);
  expect((await world.ask('carol', '!ack all')).mark?.outcome).toBe('done');
  // Its message is edited when its turn comes; who asks is told at once.
  await expect
    .poll(async () => (await world.ask('alice', '!alerts')).body, { timeout: 60_000, interval: 1000 })
    .not.toContain('SecondFire');
}, 120_000);
