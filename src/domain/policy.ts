import { serverOf, type UserId } from './accounts.ts';
import { grantLacks } from './grants.ts';
import type { Proof } from './inbox.ts';
import { type Person, roleAtLeast, type Role, sameHuman } from './operators.ts';
import type { RoomId } from './rooms.ts';
import type { TouchedUser, Touches } from './runs.ts';
import { powerLacks, type RoleRules, roleThatCounts } from './standing.ts';

export type Confirmation = 'none' | 'caller' | 'two-person';

/** What the policy has to know of a command. */
export type CommandRule = {
  name: string;
  /** The least role; undefined: anyone in the room. */
  role: Role | undefined;
  change: boolean;
  confirm: Confirmation;
  /** Goes on while changes are paused: pages, acknowledgements, on-call, resume. */
  runsPaused: boolean;
};

/** Who and what is never, or not easily, a target. */
export type Protected = {
  bot: UserId;
  adminUser: UserId | undefined;
  serverName: string | undefined;
  /** The ops room and those that the bot made for itself. */
  rooms?: readonly RoomId[];
};

/** Targets, and acts of one human in an hour, above which two people are needed. */
export type Limits = { users: number; rooms: number; perHour?: number };
const usualLimits: Required<Limits> = { users: 5, rooms: 10, perHour: 20 };

export type Question = {
  actor: UserId;
  joined: boolean;
  /** The actor's power level in the room, see `powerOf`. */
  power?: number | undefined;
  /** The room is encrypted, or the settings want every command encrypted. */
  encrypted?: boolean;
  proof: Proof;
  command: CommandRule;
  people: readonly Person[];
  paused: { by: UserId; reason: string } | undefined;
  /** Safe mode: the bot can't trust or write its memory. */
  closed?: { why: string; hint: string } | undefined;
  protect: Protected;
  roles?: RoleRules;
  /** What this human did in the last hour. */
  recent?: { acts: number; pages: number };
  /** Known after `prepare`. */
  touches?: Touches;
  limits?: Limits;
  /** From the shell: why it is to be done without the second person. */
  breakGlass?: string | undefined;
};

/** `approver`: the least role of the second person, when it is more than the command's own. */
export type Decision =
  | { allow: true; need: Confirmation; approver?: Role; brokeGlass?: true }
  | { allow: false; why: string; hint?: string };

/** On one ordinary user these are never capped: an emergency is no time for it. */
const emergencies: ReadonlySet<string> = new Set(['disable', 'lock', 'logout', 'call forbid', 'media quarantine']);
/** A page wakes people, so those who only look on may not do it over and over. */
export const viewerPagesPerHour = 3;

const deny = (why: string, hint?: string): Decision => ({ allow: false, why, ...(hint ? { hint } : {}) });
/** The one that asks more. */
export const stronger = (a: Confirmation, b: Confirmation): Confirmation => {
  const order: Confirmation[] = ['none', 'caller', 'two-person'];
  return order.indexOf(a) >= order.indexOf(b) ? a : b;
};

/** The one place that says who may do what, and who has to say yes to it. Pure. */
export function decide(question: Question): Decision {
  const { actor, command, people, paused, proof } = question;
  // The bot's own jobs: what the settings file schedules needs no role, and a pause doesn't stop a backup.
  if (proof === 'internal') return { allow: true, need: 'none' };
  const unproved = judgeProof(question);
  if (unproved !== undefined) return unproved;
  if (proof !== 'shell' && !question.joined) return deny('Only members of the room may command.');
  const person = people.find((p) => p.user === actor || p.aka.includes(actor));
  // At the shell nobody stands in the room.
  const role = proof === 'shell' ? person?.role : roleThatCounts(person, question.power, question.roles);
  const lacking = judgeRole(question, person, role);
  if (lacking !== undefined) return lacking;
  const { closed } = question;
  if (command.change && closed !== undefined && !command.runsPaused) {
    return deny(`The bot is in safe mode and changes nothing: ${closed.why}.`, closed.hint);
  }
  if (command.change && paused !== undefined && !command.runsPaused) {
    return deny(`Changes are paused by ${paused.by}: ${paused.reason}.`, '!resume ends the pause.');
  }
  if (command.name === 'page' && role === 'viewer' && (question.recent?.pages ?? 0) >= viewerPagesPerHour) {
    return deny(
      `You have paged ${viewerPagesPerHour} times in the last hour, which is all that a viewer may.`,
      'An operator can page on, or answer with !ack.',
    );
  }
  return command.change ? judgeTouches(question, role) : { allow: true, need: 'none' };
}

function judgeProof({ proof, encrypted }: Question): Decision | undefined {
  if (proof === 'unsigned-device') {
    return deny(
      'This device is not verified by its owner, so it may not command.',
      'In Element: Settings, Encryption (or Sessions), verify this device with another one or with the recovery key. Then type it again. ' +
        'Whoever has reset their identity first needs somebody above them: !crypto verify @them.',
    );
  }
  if (encrypted === true && (proof === 'clear' || proof === 'reaction')) {
    return deny(
      'This came unencrypted, and the bot takes only encrypted commands here: anybody on the way could have written it.',
      'Type it in a client that encrypts, such as Element, on a verified device.',
    );
  }
  return undefined;
}

/** The list of people, the power level and the grants; undefined when the role is enough. */
function judgeRole(question: Question, person: Person | undefined, role: Role | undefined): Decision | undefined {
  const { command, people, roles = {}, touches } = question;
  if (command.role === undefined || roleAtLeast(role, command.role)) return undefined;
  if (person !== undefined && roleAtLeast(person.role, command.role)) {
    const lacks = powerLacks(person, question.power, roles);
    if (lacks !== undefined) return deny(lacks.why, lacks.hint);
  }
  // What only an owner may do can't be given away.
  const given = command.role === 'owner' ? [] : Object.entries(roles);
  const grants = given
    .filter(([to]) => roleAtLeast(role, to as Role))
    .flatMap(([, rule]) => rule?.grants.filter((grant) => grant.command === command.name) ?? []);
  if (grants.length > 0) {
    const against = grantLacks(grants, touches, people);
    if (against === undefined) return undefined;
    return deny(`You may !${command.name}, but not on ${against}.`, `Somebody with the role ${command.role} can.`);
  }
  const have = person ? `you are ${person.role}` : 'you have no role';
  return deny(`!${command.name} needs the role ${command.role}; ${have}.`, howToGet(question, person, command.role));
}

/** The line that helps: whose role is fixed in the settings can't be given another one from the room. */
function howToGet({ actor, people }: Question, person: Person | undefined, role: Role): string | undefined {
  if (person?.fixed) return `Your role is fixed under \`people\` in the settings file; it can be changed only there.`;
  const owners = people.filter((p) => p.role === 'owner').map((p) => p.user);
  const verb = person === undefined ? 'add' : 'set';
  return owners.length > 0 ? `${owners.join(' or ')} can type: !people ${verb} ${actor} ${role}` : undefined;
}

function judgeTouches(question: Question, role: Role | undefined): Decision {
  const { command, protect, touches, recent } = question;
  const limits = { ...usualLimits, ...question.limits };
  const users = touches?.users ?? [];
  const rooms = touches?.rooms ?? [];
  let need = command.confirm;
  let approver: Role | undefined;
  for (const touched of users) {
    const never = judgeTarget(question, touched);
    if (never !== undefined) return never;
    const ranking = outranks(question, touched.user, role);
    if (touched.admin || touched.appService || ranking) need = 'two-person';
    // One of the two is an owner: nobody is taken out by people below or beside them alone.
    if (ranking && role !== 'owner') approver = 'owner';
  }
  if (rooms.some((room) => protect.rooms?.includes(room))) need = 'two-person';
  const emergency = emergencies.has(command.name) && users.length === 1;
  const busy = !emergency && !command.runsPaused && (recent?.acts ?? 0) >= limits.perHour;
  if (users.length > limits.users || rooms.length > limits.rooms || busy) need = 'two-person';
  // Only whoever holds this machine has a shell on it, and every owner is paged.
  if (need === 'two-person' && question.breakGlass !== undefined && question.proof === 'shell')
    return { allow: true, need: 'caller', brokeGlass: true };
  return { allow: true, need, ...(approver === undefined ? {} : { approver }) };
}

/** Who is never a target, whoever asks. */
function judgeTarget({ actor, people, protect }: Question, { user }: TouchedUser): Decision | undefined {
  if (user === protect.bot) return deny(`${user} is this bot: it never acts on itself.`);
  if (user === protect.adminUser) return deny(`${user} is the bot's own admin account: it is never a target.`);
  if (sameHuman(user, actor, people)) return deny('You cannot be your own target.', 'Ask another operator.');
  if (protect.serverName !== undefined && serverOf(user) !== protect.serverName) {
    return deny(`${user} is not an account of ${protect.serverName}.`, 'Only local accounts can be changed here.');
  }
  return undefined;
}

/** Is the target an admin or owner, or somebody of the actor's own role or higher? */
function outranks({ people }: Question, user: UserId, role: Role | undefined): boolean {
  const target = people.find((p) => p.user === user || p.aka.includes(user));
  const senior = target !== undefined && roleAtLeast(target.role, role ?? 'viewer');
  return senior || roleAtLeast(target?.role, 'admin');
}
