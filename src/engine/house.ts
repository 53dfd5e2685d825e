import type { UserId } from '#domain/accounts.ts';
import type { Clock, EpochMs } from '#domain/clock.ts';
import type { InboxItem, Proof, RoomFacts } from '#domain/inbox.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { type Role, sameHuman } from '#domain/operators.ts';
import { type CommandRule, decide, type Decision, type Limits } from '#domain/policy.ts';
import { powerOf, type RoleRules, roleThatCounts } from '#domain/standing.ts';
import type { RoomId } from '#domain/rooms.ts';
import type { Touches, Where } from '#domain/runs.ts';
import type { Catalogue } from './catalogue.ts';
import type { Command } from './command.ts';
import type { SitePorts } from './ports.ts';
import type { Refusals } from './refusals.ts';

export type DoorSettings = {
  prefix: string;
  /** How long a question waits for its answer. */
  callerMs: number;
  twoPersonMs: number;
  /** For a team of one: silence for that long, after everybody was told, stands in for the second person. */
  alone?: { waitMs: number } | undefined;
  limits: Limits;
  roles: RoleRules;
  /** Commands count only when they came encrypted, in whatever room. */
  encryptedOnly?: boolean;
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
  refusals: Refusals;
  /** Tests end the process here, at a named point. */
  crash?: (point: string) => void;
  /** All that was said in the room up to then has been taken in; undefined as long as nothing was heard. */
  heardUntil: () => EpochMs | undefined;
};

/** Where the answer to an item goes; a schedule's goes into the ops room. */
export const whereOf = (house: House, item: Pick<InboxItem, 'site' | 'room' | 'thread' | 'key' | 'source'>): Where => ({
  room: item.room ?? house.ports(item.site).bot.opsRoom,
  thread: item.thread,
  event: item.source === 'matrix' ? item.key : undefined,
});

/** The ops room as it counts: encrypted also where the settings want every command so. */
export function factsOf(house: House, site: string): RoomFacts | undefined {
  const facts = house.ledger.roomFacts(house.ports(site).bot.opsRoom);
  return facts && house.settings.encryptedOnly === true ? { ...facts, encrypted: true } : facts;
}

export function isJoined(house: House, site: string, user: UserId): boolean {
  const facts = house.ledger.roomFacts(house.ports(site).bot.opsRoom);
  return facts?.joined.includes(user) ?? false;
}

/** The role that counts now, where and how this person speaks. */
export function roleOf(house: House, site: string, user: UserId, proof: Proof): Role | undefined {
  const ports = house.ports(site);
  const person = ports.operators.find(user);
  if (proof === 'shell') return person?.role;
  return roleThatCounts(person, powerOf(house.ledger.roomFacts(ports.bot.opsRoom), user), house.settings.roles);
}

/** The ops room, and the one in which the bot measures the way to itself. */
const ownRooms = (house: House, site: string): RoomId[] => {
  const probe = house.ledger.switch('probe-room');
  return [house.ports(site).bot.opsRoom, ...(typeof probe === 'string' ? [probe as RoomId] : [])];
};

const hourMs = 3_600_000;

/** What one human did in the last hour, by whichever account. What goes on while paused (an ack) is no act. */
function recentOf(house: House, site: string, actor: UserId): { acts: number; pages: number } {
  const people = house.ports(site).operators.list();
  const begun = house.ledger
    .begunSince(house.clock.now() - hourMs)
    .filter((run) => sameHuman(run.actor, actor, people));
  const acts = begun.filter(({ command }) => house.catalogue.command(command)?.runsPaused !== true);
  return { acts: acts.length, pages: begun.filter(({ command }) => command === 'page').length };
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
  const facts = factsOf(house, ask.site);
  return decide({
    actor: ask.actor,
    joined: facts?.joined.includes(ask.actor) ?? false,
    power: powerOf(facts, ask.actor),
    encrypted: house.settings.encryptedOnly === true || (facts?.encrypted ?? false),
    proof: ask.proof,
    command: ask.rule,
    people: ports.operators.list(),
    paused: ports.switches.paused(),
    closed: ports.safeMode?.closed(),
    protect: {
      bot: ports.bot.user,
      adminUser: ports.adminUser?.(),
      serverName: ports.bot.user.slice(ports.bot.user.indexOf(':') + 1),
      rooms: ownRooms(house, ask.site),
    },
    roles: house.settings.roles,
    ...(ask.rule.change ? { recent: recentOf(house, ask.site, ask.actor) } : {}),
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
