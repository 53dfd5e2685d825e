import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { converse, knock } from '#adapters/shell/call.ts';
import { socketIn } from '#adapters/shell/listen.ts';
import type { Call } from '#adapters/shell/wire.ts';
import type { Person } from '#domain/operators.ts';
import { openShellDoor } from '#src/exec-door.ts';
import { idOf, openTestHouse, person, site, type TestHouse, type TestHouseOptions } from '#test/fakes/house.ts';
import { FakeTerminal } from '#test/fixtures/shell-caller.ts';
import { answers, hello, remove, smallCommands } from '#test/fixtures/small-commands.ts';

// The door of the shell into the real engine: socket, proof, inbox, policy, runner, outbox. Carol is whoever runs this.
const own = String(process.getuid?.() ?? -1);
const shell = (name: string, role: Person['role'], unix: string): Person => ({ ...person(name, role), shell: unix });
const people = [
  shell('alice', 'owner', '70001'),
  shell('bob', 'admin', '70002'),
  shell('carol', 'admin', own),
  person('vera', 'viewer'),
];
const twoPerson: TestHouseOptions['commands'] = (world) => ({
  ...answers(),
  hello: hello(),
  remove: remove(world, { confirm: 'two-person' }),
});

// Another way to people than the room.
let fallback: Array<{ webhook: { url: string } }> = [];
let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'exec-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

class Shell implements AsyncDisposable {
  readonly house: TestHouse;
  readonly #door: AsyncDisposable;

  private constructor(house: TestHouse, door: AsyncDisposable) {
    this.house = house;
    this.#door = door;
  }

  static async open(options: TestHouseOptions = {}): Promise<Shell> {
    const house = openTestHouse({ commands: smallCommands, people, ...options });
    const wake = (): void => house.wake();
    return new Shell(
      house,
      await openShellDoor({ settings: { dataDir, shell: {}, alerts: { fallback } }, house: house.house, site, wake }),
    );
  }

  /** Types it; time passes until it has ended. */
  async type(text: string, terminal: FakeTerminal, more: Partial<Call> = {}): Promise<boolean> {
    const door = await knock(socketIn(dataDir));
    if (door === undefined) throw new Error('nobody listens');
    let ended = false;
    const end = converse(door, { text, ...more }, terminal).finally(() => {
      ended = true;
    });
    end.catch(() => undefined);
    for (let turn = 0; turn < 5000 && !ended; turn += 1) await this.house.pass(100);
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door[Symbol.asyncDispose]();
    await this.house[Symbol.asyncDispose]();
  }
}

describe('one command from the shell', () => {
  test('is answered there, and in the room with who asked', async () => {
    await using shell = await Shell.open({ commands: twoPerson });
    const terminal = new FakeTerminal();
    expect(await shell.type('hello you', terminal)).toBe(true);
    expect(terminal.text).toBe('hello you');
    expect(shell.house.room.texts()).toEqual([
      expect.stringMatching(/@carol:example\.org from the shell \(Unix user .+\): !hello you/),
      'hello you',
    ]);
  });

  test('a change asks on the terminal; its yes is the caller’s', async () => {
    await using shell = await Shell.open();
    const terminal = new FakeTerminal(true);
    expect(await shell.type('!remove mallory spam', terminal)).toBe(true);
    expect(terminal.text).toMatch(/Remove @mallory.*\n[^]*✅ @mallory:example\.org is removed/);
    expect(shell.house.run()).toMatchObject({ state: 'done', proof: 'shell', actor: idOf('carol') });
    const votes = shell.house.ledger.audit({ act: 'remove' }).find(({ outcome }) => outcome === 'granted');
    expect(votes?.detail).toMatchObject({ proof: 'shell' });
  });

  test.each([false, undefined])('without a yes (%s) nothing is done', async (yes) => {
    await using shell = await Shell.open();
    expect(await shell.type('!remove mallory spam', new FakeTerminal(yes))).toBe(false);
    expect(shell.house.world.done).toEqual([]);
    expect(shell.house.states()).toEqual([yes === false ? 'denied' : 'expired']);
  });

  test.each(['!nothing', '!!!', '???', '!remove', '!hello there\u200b'])('%s ends', async (text) => {
    await using shell = await Shell.open();
    await shell.type(text, new FakeTerminal(true));
    expect(shell.house.world.done).toEqual([]);
    expect(shell.house.ledger.inboxDepth()).toBe(0);
  });

  test('the role is asked as in the room', async () => {
    await using shell = await Shell.open({
      people: [person('alice', 'owner'), { ...person('vera', 'viewer'), shell: own }],
    });
    const terminal = new FakeTerminal(true);
    expect(await shell.type('!remove mallory spam', terminal)).toBe(false);
    expect(terminal.text).toContain('needs the role operator; you are viewer');
  });
});

test('no shell name: refused, told what to set, written down', async () => {
  await using shell = await Shell.open({ people: people.filter((one) => one.shell !== own) });
  const terminal = new FakeTerminal(true);
  expect(await shell.type('!remove mallory spam', terminal)).toBe(false);
  expect(terminal.text).toMatch(/nobody's `shell` under `people`.*Nothing was done.\nAn owner adds `shell: /s);
  expect(shell.house.states()).toEqual([]);
  const [refused] = shell.house.ledger.audit({ act: 'shell' });
  expect(refused).toMatchObject({ outcome: 'denied', detail: { said: '!remove mallory spam', proved: Number(own) } });
});

test('a stranger who calls on and on is refused each time, and written down twenty times an hour', async () => {
  await using shell = await Shell.open({ people: people.filter(({ shell: unix }) => unix !== own) });
  const call = (): Promise<boolean> => shell.type('!remove mallory spam', new FakeTerminal());
  for (let n = 0; n < 25; n += 1) expect(await call()).toBe(false);
  const denied = () => shell.house.ledger.audit({ act: 'shell', limit: 100 });
  expect(denied()).toHaveLength(20);
  expect(JSON.stringify(denied()[0]!.detail)).toContain('More of it within the hour is not written down');
  await shell.house.pass(3_600_000);
  expect(await call()).toBe(false);
  expect(denied()).toHaveLength(21);
});

describe('two people', () => {
  test('the second one says yes under another Unix user, and both hear how it ended', async () => {
    await using shell = await Shell.open({ commands: twoPerson });
    const first = new FakeTerminal(true);
    const second = new FakeTerminal();
    const asked = shell.type('!remove mallory spam', first);
    while (first.waits.length === 0) await shell.house.pass(100);
    // Carol's own yes is none.
    const again = new FakeTerminal();
    expect(await shell.type(`approve ${first.waits[0]}`, again)).toBe(false);
    expect(again.text).toContain('whoever asked for it cannot approve it');
    expect(shell.house.world.done).toEqual([]);
    expect(await shell.type(`approve ${first.waits[0]}`, second, { behalf: 70_002 })).toBe(true);
    expect(await asked).toBe(true);
    expect(first.text).toContain('is removed');
    expect(second.text).toContain('is removed');
    const texts = shell.house.room.texts().join('\n');
    expect(texts).toContain('@bob:example.org from the shell (Unix user 70002, by sudo)');
  });

  test('break glass: alone, with every owner called', async () => {
    await using shell = await Shell.open({ commands: twoPerson });
    const terminal = new FakeTerminal(true);
    expect(await shell.type('!remove mallory spam', terminal, { breakGlass: 'bob is on a plane' })).toBe(true);
    expect(terminal.waits).toEqual([]);
    const page = shell.house.room.messages().find(({ mark }) => mark?.kind === 'page');
    expect(page).toMatchObject({ rings: true, mentions: [idOf('alice')] });
  });

  test('break glass: told by every other way at once, also while the room is there', async () => {
    const told: string[] = [];
    const pager = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => (body += String(piece)));
      request.on('end', () => {
        told.push(body);
        response.end('ok');
      });
    });
    await new Promise<void>((resolve) => pager.listen(0, '127.0.0.1', resolve));
    fallback = [{ webhook: { url: `http://127.0.0.1:${(pager.address() as AddressInfo).port}/` } }];
    {
      await using shell = await Shell.open({ commands: twoPerson });
      expect(await shell.type('!remove mallory spam', new FakeTerminal(false), { breakGlass: 'alone here' })).toBe(
        false,
      );
    }
    fallback = [];
    pager.close();
    expect(told.map((body) => JSON.parse(body) as unknown)).toEqual([
      expect.objectContaining({ users: [idOf('alice')], text: expect.stringContaining('alone here') as string }),
    ]);
  });
});

test('a door that cannot be opened leaves the bot at work, and is told', async () => {
  const house = openTestHouse({ commands: smallCommands, people });
  const settings = { dataDir: join(dataDir, 'x'.repeat(100)), shell: {}, alerts: { fallback } };
  const door = await openShellDoor({ settings, house: house.house, site, wake: () => undefined });
  expect(house.log.messages('error')).toEqual(["the shell's door is not open"]);
  await door[Symbol.asyncDispose]();
  await house[Symbol.asyncDispose]();
});
