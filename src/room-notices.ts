import type { BotInfo } from '#domain/bot.ts';
import type { Json } from '#domain/canonical.ts';
import type { Clock } from '#domain/clock.ts';
import type { RoomFacts } from '#domain/inbox.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { Verdict } from '#domain/messages.ts';
import { opennessOf } from '#domain/open-room.ts';
import type { Operators } from '#domain/operators.ts';
import { say } from '#engine/speak.ts';
import type { Settings } from './settings.ts';
import { tellUnreadable } from './unreadable.ts';

const mostNamed = 10;

/** `rings`: the owners hear it. */
type Notice = { title: string; verdict: Verdict; lines: string[]; rings?: true };

export type RoomNoticesOptions = {
  encryption: Settings['matrix']['encryption'];
  ledger: Ledger;
  operators: Operators;
  bot: BotInfo;
  clock: Clock;
  log: Log;
};

/** What people have to know of their ops room, said once, and again when it went away and came back. */
export class RoomNotices {
  readonly #options: RoomNoticesOptions;
  #lookedForStrangers = false;

  constructor(options: RoomNoticesOptions) {
    this.#options = options;
  }

  /** Called every second. */
  tick(): void {
    const { ledger, bot, clock } = this.#options;
    tellUnreadable(ledger, bot, clock);
    const facts = ledger.roomFacts(bot.opsRoom);
    if (facts === undefined) return;
    this.#once('told-encryption', this.#encryption(facts));
    this.#once('told-open-room', openRoom(facts));
    this.#once('told-replaced', replaced(facts, bot));
    // Who comes later is shown by the client; each of them would be a message.
    if (!this.#lookedForStrangers) this.#once('told-strangers', this.#strangers(facts));
    this.#lookedForStrangers = true;
  }

  #encryption({ encrypted }: RoomFacts): Notice | undefined {
    const { encryption: mode } = this.#options;
    if (encrypted && mode === 'off')
      return {
        title:
          'This room is encrypted, and the settings say matrix.encryption: off. Commands typed here are not heard.',
        verdict: 'critical',
        lines: ['Alerts and reports still come, in the clear. Set it to auto, or use a room without encryption.'],
      };
    if (encrypted || mode !== 'required') return undefined;
    return {
      title: 'This room is not encrypted, and the settings say matrix.encryption: required. Commands are refused here.',
      verdict: 'critical',
      lines: ['Switch encryption on in the settings of this room: it cannot be switched off again.'],
    };
  }

  #strangers({ joined }: RoomFacts): Notice | undefined {
    const { operators, bot } = this.#options;
    const strangers = joined.filter((user) => user !== bot.user && operators.find(user) === undefined).toSorted();
    if (strangers.length === 0) return undefined;
    const more = strangers.length - mostNamed;
    return {
      title:
        strangers.length === 1
          ? 'Somebody without a role is in this room, and reads what is said here.'
          : `${strangers.length} people without a role are in this room, and read what is said here.`,
      verdict: 'warning',
      lines: [strangers.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '')],
    };
  }

  #once(name: string, notice: Notice | undefined): void {
    const { ledger, operators, bot, clock, log } = this.#options;
    const value: Json = notice === undefined ? null : `${bot.opsRoom} ${notice.title} ${notice.lines.join(' ')}`;
    if ((ledger.switch(name) ?? null) === value) return;
    const at = clock.now();
    if (notice === undefined) return ledger.commit({ at, switches: [{ name, value }] });
    const { title, verdict, lines, rings = false } = notice;
    const owners = operators.list().flatMap(({ user, role }) => (rings && role === 'owner' ? [user] : []));
    const where = { room: bot.opsRoom, thread: undefined, event: undefined };
    const address = { site: bot.site, where, lane: 'notices', about: { kind: 'notice' as const, id: name }, at };
    const reply = { title, verdict, blocks: [{ kind: 'text' as const, lines }] };
    ledger.commit({
      at,
      outbox: [say(ledger, address, reply, { kind: 'notice' }, { rings, mentions: owners })],
      switches: [{ name, value }],
    });
    log.warn({ room: bot.opsRoom }, title);
  }
}

function openRoom(facts: RoomFacts): Notice | undefined {
  const faults = opennessOf(facts);
  if (faults.length === 0) return undefined;
  return {
    title: `This room is open: ${faults.join(', ')}. What is typed and reported here is for invited people.`,
    verdict: 'warning',
    lines: ["Close it in the room's settings: invited people only, history for members only."],
  };
}

/** Clients hide the old one: who isn't told goes on waiting for pages that nobody sees. */
function replaced({ replacedBy }: RoomFacts, bot: BotInfo): Notice | undefined {
  if (replacedBy === undefined) return undefined;
  return {
    title:
      'This room was upgraded, and another one took its place. The bot is still here: pages and answers come only here.',
    verdict: 'critical',
    lines: [
      `Invite ${bot.user} there, with the power it has here. Then set matrix.opsRoom in the settings to ${replacedBy} and start the bot again.`,
      'Until then keep this room open, and its notifications on.',
    ],
    rings: true,
  };
}
