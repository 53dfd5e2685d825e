import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStorage } from '#storage/open.ts';
import { account } from '#test/fixtures/server-state.ts';
import { makeNewcomers, type Newcomer } from '#test/fixtures/newcomers.ts';
import type { SettingsPatch } from '#sandbox/bot-settings.ts';
import { type Ended, typeInShell } from '#test/fixtures/shell-process.ts';
import { installMs, OpsRoom } from '#test/ops-room.ts';

// The shell's door on the real thing. Alice is whoever runs this test, bob whom sudo names, carol has no shell.
const own = String(process.getuid?.() ?? -1);
const asBob = { SUDO_UID: '70002' };
const minutesMs = 180_000;
let world: OpsRoom;
let people: Newcomer[];
let settings: SettingsPatch;
const exec = (text: string, how: Parameters<typeof typeInShell>[1] = {}, more: string[] = []): Promise<Ended> =>
  typeInShell(['exec', '--settings', world.files.settingsFile, ...more, text], how);
const approve = (code: string, env: NodeJS.ProcessEnv): Promise<Ended> =>
  typeInShell(['approve', '--settings', world.files.settingsFile, code], { env });
const heard = (text: RegExp): Promise<unknown> =>
  world.room.waitFor((said) => said.sender === world.bot && text.test(said.body), { what: String(text) });

beforeAll(async () => {
  world = await OpsRoom.open({ parts: ['synapse'] });
  people = await makeNewcomers(world, ['nora', 'otto', 'petra']);
  settings = {
    // Off: there is no call server here.
    livekit: undefined,
    people: [
      { user: world.person('alice').userId, role: 'owner', shell: own },
      { user: world.person('bob').userId, role: 'owner', shell: '70002' },
      { user: world.person('carol').userId, role: 'operator' },
    ],
  };
  await world.settle(settings);
}, installMs);
afterAll(() => world?.[Symbol.asyncDispose]());

test(
  'without a running bot: asked and done here, and the room hears of it when the bot runs again',
  async () => {
    const [nora] = people as [Newcomer];
    const done = await exec('!disable nora posting spam', { input: 'y\n' });
    expect(done.output).toMatch(/The bot is not running[^]*Disable @nora[^]*Do it\? \(y\/N\)[^]*is disabled/);
    expect(done, done.output).toMatchObject({ code: 0 });
    expect(await account(world, nora.userId)).toMatchObject({ locked: true });
    await world.startBot(settings);
    await heard(/@alice.* from the shell \(.*\): !disable nora posting spam/);
    await heard(/✅ @nora.* is disabled/);
  },
  minutesMs,
);

test(
  'with the bot running: the same door, and the answer in the room as well',
  async () => {
    const status = await exec('status');
    expect(status).toMatchObject({ code: 0 });
    await heard(/from the shell \(.*\): !status/);
    // No yes, nothing done.
    const [, otto] = people as [Newcomer, Newcomer];
    const refused = await exec('!disable otto posting spam', { input: '\n' });
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('nothing was done') as string });
    expect(await account(world, otto.userId)).toMatchObject({ locked: false });
  },
  minutesMs,
);

test(
  'two people: the second says yes in a shell of their own',
  async () => {
    const [, otto] = people as [Newcomer, Newcomer];
    const asked = exec('!deactivate otto', { input: '' });
    const { mark } = await world.room.waitFor(
      (said) => said.mark?.kind === 'prompt' && said.mark.command === 'deactivate',
      { what: 'the question' },
    );
    const code = mark?.code ?? '';
    expect(await approve(code, {})).toMatchObject({ code: 1 });
    expect(await approve(code, { SUDO_UID: '70009' })).toMatchObject({ code: 1, output: /nobody's `shell`/ });
    const second = await approve(code, asBob);
    expect(second.output).toMatch(/said yes[^]*✅/);
    expect(second.code).toBe(0);
    expect(await asked).toMatchObject({ code: 0 });
    expect(await account(world, otto.userId)).toMatchObject({ deactivated: true });
  },
  minutesMs,
);

test(
  '--break-glass: alone, every owner is paged, and the audit says so',
  async () => {
    const done = await exec('!deactivate petra', { input: 'y\n' }, ['--break-glass', 'bob is on a plane']);
    expect(done).toMatchObject({ code: 0 });
    const page = await world.room.waitFor((said) => said.mark?.kind === 'page', { what: 'the page' });
    expect(page.mentions.toSorted()).toEqual(['alice', 'bob'].map((name) => world.person(name).userId));
    expect(page).toMatchObject({ msgtype: 'm.text', body: expect.stringContaining('bob is on a plane') as string });
  },
  minutesMs,
);

test(
  'exit codes: 2 for wrong usage, 75 when something else holds the memory',
  async () => {
    expect(await typeInShell(['exec', '--settings', world.files.settingsFile])).toMatchObject({ code: 2 });
    expect(await exec('!status', {}, ['--nonsense'])).toMatchObject({ code: 2 });
    expect(await approve('xyz', {})).toMatchObject({ code: 2 });
    await world.stopBot();
    using _held = openStorage({ file: join(world.dataDir, 'opsroom.db') });
    const held = await exec('!status');
    expect(held).toMatchObject({ code: 75, output: expect.stringContaining('Another Opsroom is running') as string });
  },
  minutesMs,
);
