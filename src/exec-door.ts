import { render } from '#adapters/matrix/render.ts';
import { type Caller, type Conversation, openDoor, type Serve } from '#adapters/shell/listen.ts';
import type { Call } from '#adapters/shell/wire.ts';
import { WebhookWay } from '#adapters/webhook/open.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { Mark, Reply } from '#domain/messages.ts';
import type { Person } from '#domain/operators.ts';
import type { House } from '#engine/house.ts';
import { ShellDesk } from '#engine/shell-desk.ts';
import type { Settings } from './settings.ts';

const strangerWindowMs = 3_600_000;
const mostNoted = 20;

/**
 * The door for shells on this machine. `dataDir/door.sock` lets in the bot's own Unix user and root; each of them holds
 * the bot's secrets anyway, so who they say they act for (by sudo) is believed and written down as said.
 * `shell.directory`, when it is set, lets in everybody, each as the Unix user that the kernel proves.
 * A door that can't be opened never keeps the bot from its work: it is told in the log, and by doctor.
 */
export async function openShellDoor(options: {
  settings: Pick<Settings, 'dataDir' | 'shell'> & { alerts: Pick<Settings['alerts'], 'fallback'> };
  house: House;
  site: string;
  wake: () => void;
}): Promise<AsyncDisposable> {
  const { settings, house, site, wake } = options;
  const desk = new ShellDesk(house, { site, wake });
  const siren = new Siren(settings.alerts.fallback, house, site);
  const strangers = new Strangers(() => house.clock.monotonicMs());
  const serve: Serve = (caller, call, conversation) => {
    const person = personOf(house.ports(site).operators.list(), caller.names);
    if (person === undefined) throw refuse(house, site, { caller, call, note: strangers.note(caller.proved) });
    return desk.serve(
      { user: person.user, unix: unixOf(caller), text: call.text, breakGlass: call.breakGlass },
      earsOf(conversation, siren),
      conversation.signal,
    );
  };
  const places = [{ directory: settings.dataDir, shared: false }];
  if (settings.shell.directory !== undefined) places.push({ directory: settings.shell.directory, shared: true });
  await using stack = new AsyncDisposableStack();
  stack.use(siren);
  for (const place of places) {
    try {
      stack.use(await openDoor(place, serve, house.log));
    } catch (error) {
      const { message, hint } = asOpsError(error);
      house.log.error({ why: message, hint }, "the shell's door is not open");
    }
  }
  return stack.move();
}

const personOf = (people: readonly Person[], names: readonly string[]): Person | undefined =>
  people.find(({ shell }) => shell !== undefined && names.includes(shell));

/** What is proved, and what is only said. */
function unixOf({ proved, behalf, names }: Caller): string {
  const name = names[0] ?? String(behalf ?? proved);
  return behalf === undefined || behalf === proved ? `Unix user ${name}` : `Unix user ${name}, by sudo`;
}

/** Somebody on this machine who is nobody in the settings: written down, and told what to do. */
function refuse(
  house: House,
  site: string,
  { caller, call, note }: { caller: Caller; call: Call; note: Note },
): OpsError {
  const { ledger, clock, log } = house;
  const unix = unixOf(caller);
  const why = `${unix} is nobody's \`shell\` under \`people\` in the settings.`;
  const refusal = new OpsError('denied', `${why} Nothing was done.`, {
    hint: `An owner adds \`shell: ${caller.names[0] ?? 'NAME'}\` to that person there, and starts the bot again.`,
  });
  if (note === 'none') return refusal;
  const last = note === 'last' ? ' More of it within the hour is not written down.' : '';
  log.warn({ proved: caller.proved, behalf: caller.behalf }, 'a stranger called from the shell');
  ledger.commit({
    at: clock.now(),
    audit: [
      {
        at: clock.now(),
        actor: house.ports(site).bot.user,
        site,
        run: undefined,
        incident: undefined,
        act: 'shell',
        outcome: 'denied',
        detail: { unix, proved: caller.proved, said: call.text.slice(0, 200), why: why + last },
      },
    ],
  });
  return refusal;
}

type Note = 'full' | 'last' | 'none';

/** Any Unix user may knock as often as they like, but not fill the record with it. */
class Strangers {
  readonly #monotonicMs: () => number;
  readonly #calls = new Map<number, { sinceMs: number; count: number }>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  note(unix: number): Note {
    const nowMs = this.#monotonicMs();
    const before = this.#calls.get(unix);
    const calls = before && nowMs - before.sinceMs < strangerWindowMs ? before : { sinceMs: nowMs, count: 0 };
    calls.count += 1;
    this.#calls.set(unix, calls);
    return calls.count < mostNoted ? 'full' : calls.count === mostNoted ? 'last' : 'none';
  }
}

const earsOf = ({ tell, answerTo }: Conversation, siren: Siren) => ({
  said: (reply: Reply, mark: Mark): void => {
    tell({ kind: 'said', text: render(reply).body });
    if (mark.kind === 'page') siren.call(reply);
  },
  confirm: ({ code }: { code: string }): Promise<boolean | undefined> => {
    tell({ kind: 'question', code });
    return answerTo(code);
  },
  waiting: ({ code, role, expiresAt }: { code: string; role: string; expiresAt: number }): void =>
    tell({ kind: 'waiting', code, role, expiresAt }),
});

/**
 * Broken glass is told by every way at once, not when the room turns out to be deaf: the room may be what is broken, or
 * in the hands of whom it is about.
 */
class Siren implements AsyncDisposable {
  readonly #ways: WebhookWay[];
  readonly #house: House;
  readonly #site: string;
  readonly #calls = new Set<Promise<void>>();

  constructor(ways: Settings['alerts']['fallback'], house: House, site: string) {
    const { bot } = house.ports(site);
    this.#ways = ways.map(({ webhook }) => new WebhookWay({ ...webhook, bot: bot.user, site }));
    this.#house = house;
    this.#site = site;
  }

  call(reply: Reply): void {
    const { clock, log } = this.#house;
    const people = this.#house.ports(this.#site).operators.list();
    const users = people.filter(({ role }) => role === 'owner').map(({ user }) => user);
    const text = render(reply).body;
    const notice = { title: text.split('\n')[0] ?? text, text, users, incidents: [], at: clock.now() };
    for (const way of this.#ways) {
      const told = way.tell(notice, new AbortController().signal).catch((error: unknown) => {
        log.error({ way: way.name, why: asOpsError(error).message }, 'broken glass could not be told another way');
      });
      this.#calls.add(told);
      void told.finally(() => this.#calls.delete(told));
    }
  }

  /** What is on its way arrives first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#calls);
  }
}
