import { openStack } from '#sandbox/stack.ts';
import { call, register } from '#sandbox/synapse-client.ts';
import { TinyBot } from '#test/fixtures/tiny-bot.ts';
import { runPrompt } from './open.ts';
await using stack = await openStack({
  dir: '/tmp/promptpty/run',
  log: () => undefined,
  parts: ['synapse'],
  rateLimits: 'lifted',
});
const { url } = stack.synapse;
const tag = Date.now().toString(36);
const p = [];
for (const name of ['alice', 'bob', 'opsroom']) {
  const { userId, token } = await register(url, stack.synapse.registrationSharedSecret, {
    username: name + tag,
    password: 'x' + tag,
  });
  p.push({ name, user: userId, token });
}
const { room_id: room } = await call<{ room_id: string }>(url, 'POST', '/_matrix/client/v3/createRoom', p[2]!.token, {
  preset: 'public_chat',
});
for (const x of p) await call(url, 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/join`, x.token, {});
const bot = await TinyBot.open(url, room, p[2]!.user, p[2]!.token, p[1]!.user);
const code = await runPrompt({
  homeserverUrl: url,
  room,
  people: p.slice(0, 2),
  me: 'alice',
  botUser: p[2]!.user,
  input: process.stdin,
  output: process.stdout,
  welcome: 'Welcome.\nType !help',
  signal: new AbortController().signal,
  notices: (say) => setTimeout(() => say('· LiveKit is ready'), 1500),
});
await bot[Symbol.asyncDispose]();
process.stderr.write(`EXIT ${code}\n`);
