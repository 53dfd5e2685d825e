import type { UserId } from '#domain/accounts.ts';
import type { Clock } from '#domain/clock.ts';
import type { InboxItem, Proof } from '#domain/inbox.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { type CommandRule, decide, type Decision } from '#domain/policy.ts';
import type { Touches, Where } from '#domain/runs.ts';
import type { Catalogue } from './catalogue.ts';
import type { Command } from './command.ts';
import type { SitePorts } from './ports.ts';

export type DoorSettings = {
  prefix: string;
  /** How long a question waits for its answer. */
  callerMs: number;
  twoPersonMs: number;
  limits: { users: number; rooms: number };
};

/** What every part of the engine stands on. */
export type House = {
  ledger: Ledger;
  catalogue: Catalogue;
  clock: Clock;
  log: Log;
  build: string;
  settings: DoorSettings;
  ports: (site: string) => SitePorts;
};

/** Where the answer to an item goes; a schedule's goes into the ops room. */
export const whereOf = (house: House, item: Pick<InboxItem, 'site' | 'room' | 'thread' | 'key' | 'source'>): Where => ({
  room: item.room ?? house.ports(item.site).bot.opsRoom,
  thread: item.thread,
  event: item.source === 'matrix' ? item.key : undefined,
});

export function isJoined(house: House, site: string, user: UserId): boolean {
  const facts = house.ledger.roomFacts(house.ports(site).bot.opsRoom);
  return facts?.joined.includes(user) ?? false;
}

/** Asks the policy, with all that it has to know. */
export function permit(
  house: House,
  ask: {
    site: string;
    actor: UserId;
    proof: Proof;
    rule: CommandRule;
    touches?: Touches;
    breakGlass?: string | undefined;
  },
): Decision {
  const ports = house.ports(ask.site);
  return decide({
    actor: ask.actor,
    joined: isJoined(house, ask.site, ask.actor),
    proof: ask.proof,
    command: ask.rule,
    people: ports.operators.list(),
    paused: ports.switches.paused(),
    protect: {
      bot: ports.bot.user,
      adminUser: ports.adminUser?.(),
      serverName: ports.bot.user.slice(ports.bot.user.indexOf(':') + 1),
    },
    ...(ask.touches === undefined ? {} : { touches: ask.touches }),
    limits: house.settings.limits,
    breakGlass: ask.breakGlass,
  });
}

/** The ports that the command declared, and no others. A declared need that is off was refused before. */
export function portsFor(command: Command, all: SitePorts): never {
  const names = ['bot', 'clock', ...(command.needs ?? []), ...(command.wants ?? [])] as const;
  return Object.fromEntries(names.map((name) => [name, all[name]])) as never;
}

export const missingPort = (command: Command, all: SitePorts): string | undefined =>
  (command.needs ?? []).find((name) => all[name] === undefined);
