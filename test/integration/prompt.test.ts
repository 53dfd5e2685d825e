import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test, vi } from 'vitest';
import { RoomClient, login } from '#sandbox/prompt/client.ts';
import { type PromptOptions, runPrompt } from '#sandbox/prompt/open.ts';
import { Requests } from '#sandbox/prompt/request.ts';
import { RoomSync } from '#sandbox/prompt/sync.ts';
import type { RoomEvent } from '#sandbox/prompt/timeline.ts';
import { type Stack, openStack } from '#sandbox/stack.ts';
import { call, register } from '#sandbox/synapse-client.ts';
import { TinyBot } from '#test/fixtures/tiny-bot.ts';
import { TinyTerminal } from '#test/fixtures/tiny-terminal.ts';

type Person = { name: string; user: string; token: string };
let dir: string;
let stack: Stack;
let url: string;
const people = new Map<string, Person>();
const person = (name: string): Person => {
  const found = people.get(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'opsroom-prompt-'));
  stack = await openStack({ dir, log: () => undefined, parts: ['synapse'], rateLimits: 'lifted' });
  ({ url } = stack.synapse);
  for (const name of ['alice', 'bob', 'carol', 'opsroom']) {
    const account = { username: name, password: `pass-of-${name}` };
    const { userId, token } = await register(url, stack.synapse.registrationSharedSecret, account);
    people.set(name, { name, user: userId, token });
  }
}, 900_000);
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

let room: string;
let bot: TinyBot;
beforeEach(async () => {
  const { token } = person('opsroom');
  const made = await call<{ room_id: string }>(url, 'POST', '/_matrix/client/v3/createRoom', token, {
    preset: 'public_chat',
  });
  room = made.room_id;
  for (const name of ['alice', 'bob', 'carol']) await join_(name);
  bot = await TinyBot.open(url, room, person('opsroom').user, token, person('bob').user);
});
afterEach(async () => {
  await bot[Symbol.asyncDispose]();
  if (bot.failures.length > 0) throw new AggregateError(bot.failures, 'the bot of the test failed');
});
const join_ = (name: string): Promise<unknown> =>
  call(url, 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/join`, person(name).token, {});

/** What was written, with a wait for a text in it. */
class Captured extends Writable {
  text = '';
  private readonly waiting = new Set<() => void>();

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    for (const wake of this.waiting) wake();
    done();
  }

  async until(part: string | RegExp, deadlineMs = 10_000): Promise<void> {
    const fits = (): boolean => (typeof part === 'string' ? this.text.includes(part) : part.test(this.text));
    if (fits()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`${String(part)} did not come; there is:\n${this.text}`)),
      deadlineMs,
    );
    const wake = (): void => (fits() ? resolve() : undefined);
    this.waiting.add(wake);
    await promise.finally(() => {
      clearTimeout(timer);
      this.waiting.delete(wake);
    });
  }
}

const options = (more: Partial<PromptOptions> = {}): PromptOptions & { input: PassThrough; output: Captured } => ({
  homeserverUrl: url,
  room,
  people: ['alice', 'bob', 'carol'].map(person),
  me: 'alice',
  botUser: person('opsroom').user,
  welcome: 'Welcome to the room.',
  signal: new AbortController().signal,
  ...more,
  input: (more.input as PassThrough | undefined) ?? new PassThrough(),
  output: (more.output as Captured | undefined) ?? new Captured(),
});

async function play(
  content: string,
  name = 'tour.txt',
  more: Partial<PromptOptions> = {},
): Promise<{ code: number; text: string }> {
  const script = join(dir, name);
  await writeFile(script, content);
  const all = options({ ...more, script });
  const code = await runPrompt(all);
  return { code, text: all.output.text };
}

describe('a script', () => {
  test('of a README plays against the room and exits 0 when all came as it says', async () => {
    const readme = `# Tour
\`\`\`console opsroom-tour
> !ping you
<done pong you
<! error
> !slow
< step 2 of 2
< /took (?<seconds>\\d+) s/
< reaction:✅
> !ping {{run}} {{backup}} {{seconds}}
< pong r5 20260801T020000Z-000231 7
> !disable @mallory:opsroom.test
<prompt Disable @mallory:opsroom.test?
> ✅
<done Disabled @mallory:opsroom.test, said @alice:opsroom.test
> !disable @dave:opsroom.test
<prompt
/as bob
> !approve {{code}}
< outcome:done said @bob:opsroom.test
> !page
<page Disk full
/react 👍
< incident:{{incident}} acknowledged by @bob:opsroom.test
/thread looking into it
\`\`\`
`;
    const { code, text } = await play(readme, 'README.md');
    expect(text).toMatch(/✔ .*README\.md: 12 of 12 expectations met in [\d.]+ s\.\n$/);
    expect(code).toBe(0);
    expect(text).toContain('🔔 PAGE for bob');
    const inThread = () =>
      [...bot.timeline.messages.values()]
        .filter((message) => message.root !== undefined && message.sender === person('bob').user)
        .map((message) => message.versions[0].body);
    await expect.poll(inThread, { timeout: 10_000 }).toEqual(['looking into it']);
  }, 60_000);

  test('that is not met exits 1 with the line, what was expected and what came instead', async () => {
    const { code, text } = await play('> !ping one\n<done pong one\n\n<700ms outcome:failed pong\n> !ping two\n');
    expect(code).toBe(1);
    expect(text).toMatch(/✘ .*tour\.txt:4: <700ms outcome:failed pong\n {2}waited 0\.7 s/);
    expect(text).toContain('The bot, after line 1 (> !ping one):\n  [kind:reply command:ping outcome:done] pong one');
    expect([...bot.timeline.messages.values()].map((message) => message.versions[0].body)).not.toContain('!ping two');
  });

  test('a silence that is broken exits 1, also when it was broken before', async () => {
    const { code, text } = await play('> !ping one\n< pong\n<! pong\n');
    expect(code).toBe(1);
    expect(text).toContain('the bot was not to say that, but did');
  });

  test('an answer to an earlier line does not meet a later wait', async () => {
    const { code, text } = await play('> !ping one\n< pong one\n> hello\n<700ms pong one\n');
    expect(code).toBe(1);
    expect(text).toContain('Nothing came from the bot after line 3 (> hello).');
  });

  test('what was said before the script is no answer, however soon after it the next one starts', async () => {
    expect((await play('> !ping one\n<done\n')).code).toBe(0);
    // Synapse would answer the same first sync from a cache, as it was before the answer.
    expect((await play('<! pong\n')).code).toBe(0);
  });

  test('what the homeserver must refuse: met when it does, failed when it takes it', async () => {
    const { token: admin } = person('opsroom');
    await call(url, 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/ban`, admin, {
      user_id: person('carol').user,
    });
    expect((await play('/as carol\n>! hello\n')).code).toBe(0);
    const taken = await play('/as bob\n>! hello\n');
    expect(taken.code).toBe(1);
    expect(taken.text).toContain('should have refused it');
  });

  test('unreadable or malformed: exits 2 before anything is sent', async () => {
    const missing = options({ script: join(dir, 'none.txt') });
    expect(await runPrompt(missing)).toBe(2);
    expect(missing.output.text).toMatch(/Cannot read the script .*none\.txt \(ENOENT\)/);
    const { code, text } = await play('> !ping early\n/as nobody\n');
    expect(code).toBe(2);
    expect(text).toContain('tour.txt:2: /as takes one of: alice, bob, carol.');
    // What is sent afterwards is the first that the room has seen.
    expect((await play('> !ping late\n< pong late\n')).code).toBe(0);
    const bodies = [...bot.timeline.messages.values()].map((message) => message.versions[0].body);
    expect(bodies[0]).toBe('!ping late');
  });

  test('it is stopped by its signal', async () => {
    const stop = new AbortController();
    const script = join(dir, 'long.txt');
    await writeFile(script, '> !ping x\n< pong\n<60s never\n');
    const all = options({ script, signal: stop.signal });
    const over = runPrompt(all);
    await all.output.until('pong x');
    stop.abort();
    expect(await over).toBe(1);
    expect(all.output.text).toContain('long.txt:3: <60s never\n  stopped while waiting here.');
  });
});

describe('typing', () => {
  test('lines go to the room, /as changes who types, a wrong line is not sent, /quit ends with 0', async () => {
    const all = options();
    const over = runPrompt(all);
    await all.output.until('Welcome to the room.');
    all.input.write('!ping one\n');
    await all.output.until('pong one');
    all.input.write('/frobnicate\n✅\n/as bob\n/who\n!ping two\n');
    await all.output.until('pong two');
    all.input.write('/quit\n');
    expect(await over).toBe(0);
    const { text } = all.output;
    expect(text).toContain('/frobnicate is no command of the prompt');
    expect(text).toContain('There is no message of the bot yet that ✅ could go on.');
    expect(text).toContain('→ bob  @bob:opsroom.test');
    expect(text).toMatch(/alice [\d:]+ {2}!ping one\n {2}│ opsroom [\d:]+ {2}pong one/);
    expect(text).toMatch(/bob [\d:]+ {2}!ping two/);
  });

  test('on a terminal the answer is drawn in place, above the line that is being typed', async () => {
    vi.stubEnv('TERM', 'xterm');
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = Object.assign(new Captured(), { isTTY: true, columns: 80, rows: 30 });
    const all = options({ input, output });
    const over = runPrompt(all);
    await output.until('alice> ');
    const half = `half a line that is longer than the terminal is wide, ${'and goes on '.repeat(5)}`;
    input.write(`!slow\r${half}`);
    await output.until('✅');
    input.write('.');
    await output.until(/\.$/);
    const screen = new TinyTerminal(80, 30, true);
    screen.write(output.text);
    const shown = screen.text.replaceAll(/\d\d:\d\d/g, 'TIME').split('\n');
    expect(shown).toEqual([
      'Welcome to the room.',
      'alice TIME  !slow',
      '  ✅ opsroom',
      '  │ opsroom TIME  ✎ Set 20260801T020000Z-000231 took 7 s',
      `alice> ${half}.`.slice(0, 80),
      `alice> ${half}.`.slice(80),
    ]);
    input.write('\u0003');
    expect(await over).toBe(0);
  });

  test('a page rings for who types', async () => {
    const output = Object.assign(new Captured(), { isTTY: true, columns: 80, rows: 30 });
    const all = options({ output, me: 'bob' });
    const over = runPrompt(all);
    await output.until('Welcome');
    all.input.write('!page\n');
    await output.until('\u0007');
    await output.until('PAGE for bob');
    all.input.write('/quit\n');
    expect(await over).toBe(0);
  });

  test('what was said before is shown, as it is now; it does not ring', async () => {
    expect((await play('> !slow\n<done\n> !page\n<page\n')).code).toBe(0);
    const output = Object.assign(new Captured(), { isTTY: true, columns: 80, rows: 30 });
    const all = options({ output, me: 'bob' });
    const over = runPrompt(all);
    await output.until('Welcome');
    expect(output.text).toContain('took 7 s');
    expect(output.text).toContain('PAGE for bob');
    expect(output.text).not.toContain('step 1 of 2');
    expect(output.text).not.toContain('\u0007');
    all.input.write('/quit\n');
    expect(await over).toBe(0);
  });

  test('a session that the homeserver ends is said; another person goes on', async () => {
    const token = await login(url, person('carol').user, 'pass-of-carol');
    const all = options({ people: [{ ...person('carol'), token }, person('bob')], me: 'carol' });
    const over = runPrompt(all);
    await all.output.until('Welcome');
    await call(url, 'POST', '/_matrix/client/v3/logout', token, {});
    await all.output.until('ended the session of carol (M_UNKNOWN_TOKEN)');
    all.input.write('hello?\n');
    await all.output.until('Cannot send as @carol:opsroom.test: 401 M_UNKNOWN_TOKEN');
    all.input.write('/as bob\n!ping on\n');
    await all.output.until('pong on');
    all.input.write('/quit\n');
    expect(await over).toBe(0);
    expect(all.output.text).not.toContain(token);
  });

  test('the end of piped input does not end the room; the signal does', async () => {
    const stop = new AbortController();
    const all = options({ signal: stop.signal });
    const over = runPrompt(all);
    all.input.end('!ping one\n');
    await all.output.until('pong one');
    await all.output.until('nothing more to read');
    stop.abort();
    expect(await over).toBe(0);
  });
});

describe('the client', () => {
  test('a token of somebody else, or none that works, is refused at the start', async () => {
    const { user } = person('alice');
    const opened = (token: string) => RoomClient.open({ homeserverUrl: url, room, user, token });
    await expect(opened(person('bob').token)).rejects.toThrow('is one of @bob:opsroom.test');
    await expect(opened('nonsense')).rejects.toMatchObject({ kind: 'denied' });
    const all = options({ people: [{ ...person('alice'), token: 'nonsense' }] });
    expect(await runPrompt(all)).toBe(1);
    expect(all.output.text).toContain('M_UNKNOWN_TOKEN');
    await expect(login(url, user, 'wrong')).rejects.toMatchObject({ kind: 'denied' });
  });

  test('a homeserver that is not there is said within 15 s', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((resolve) => server.close(resolve));
    const all = options({ homeserverUrl: `http://127.0.0.1:${port}` });
    expect(await runPrompt(all)).toBe(1);
    expect(all.output.text).toContain('the homeserver is not reachable');
  }, 15_000);

  test('a gap in the sync is filled: of 45 messages that came meanwhile none is missing or out of order', async () => {
    const { token, user } = person('alice');
    const stop = new AbortController();
    const sync = new RoomSync(new Requests(url, token), room, user, stop.signal, 10);
    await sync.begin(0);
    const bob = await RoomClient.open({
      homeserverUrl: url,
      room,
      user: person('bob').user,
      token: person('bob').token,
    });
    for (let at = 0; at < 45; at += 1) await bob.sendText(`n${at}`);
    const seen: string[] = [];
    const running = sync.run({
      onEvents: (events: RoomEvent[]) => {
        seen.push(...events.map((event) => String(event.content['body'])));
        if (seen.includes('n44')) stop.abort();
      },
      onLink: () => undefined,
    });
    await running;
    expect(seen).toEqual(Array.from({ length: 45 }, (_, at) => `n${at}`));
    await bob[Symbol.asyncDispose]();
  }, 60_000);
});
