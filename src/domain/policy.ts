import { serverOf, type UserId } from './accounts.ts';
import type { Proof } from './inbox.ts';
import { type Person, roleAtLeast, type Role, sameHuman } from './operators.ts';
import type { Touches } from './runs.ts';

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
export type Protected = { bot: UserId; adminUser: UserId | undefined; serverName: string | undefined };

export type Question = {
  actor: UserId;
  joined: boolean;
  proof: Proof;
  command: CommandRule;
  people: readonly Person[];
  paused: { by: UserId; reason: string } | undefined;
  protect: Protected;
  /** Known after `prepare`. */
  touches?: Touches;
  /** Targets above which two people are needed. */
  limits?: { users: number; rooms: number };
  /** From the shell: why it is to be done without the second person. */
  breakGlass?: string | undefined;
};

/** `approver`: the least role of the second person, when it is more than the command's own. */
export type Decision =
  | { allow: true; need: Confirmation; approver?: Role; brokeGlass?: true }
  | { allow: false; why: string; hint?: string };

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
  const person = people.find((p) => p.user === actor || p.aka.includes(actor));
  if (proof === 'unsigned-device') {
    return deny('This device is not verified by its owner.', 'Verify it in your client under Settings, Sessions.');
  }
  if (proof !== 'shell' && !question.joined) return deny('Only members of the room may command.');
  if (command.role !== undefined && !roleAtLeast(person?.role, command.role)) {
    const owners = people.filter((p) => p.role === 'owner').map((p) => p.user);
    const have = person ? `you are ${person.role}` : 'you have no role';
    return deny(
      `!${command.name} needs the role ${command.role}; ${have}.`,
      owners.length > 0 ? `${owners.join(' or ')} can type: !people add ${actor} ${command.role}` : undefined,
    );
  }
  if (command.change && paused !== undefined && !command.runsPaused) {
    return deny(`Changes are paused by ${paused.by}: ${paused.reason}.`, '!resume ends the pause.');
  }
  return command.change ? judgeTouches(question, person) : { allow: true, need: 'none' };
}

function judgeTouches(question: Question, person: Person | undefined): Decision {
  const { actor, command, people, protect, touches } = question;
  let need = command.confirm;
  let approver: Role | undefined;
  for (const touched of touches?.users ?? []) {
    const name = touched.user;
    if (name === protect.bot) return deny(`${name} is this bot: it never acts on itself.`);
    if (name === protect.adminUser) return deny(`${name} is the bot's own admin account: it is never a target.`);
    if (sameHuman(name, actor, people)) return deny('You cannot be your own target.', 'Ask another operator.');
    if (protect.serverName !== undefined && serverOf(name) !== protect.serverName) {
      return deny(`${name} is not an account of ${protect.serverName}.`, 'Only local accounts can be changed here.');
    }
    const target = people.find((p) => p.user === name || p.aka.includes(name));
    const senior = target !== undefined && roleAtLeast(target.role, person?.role ?? 'viewer');
    const ranking = senior || roleAtLeast(target?.role, 'admin');
    if (touched.admin || touched.appService || ranking) need = 'two-person';
    // One of the two is an owner: nobody is taken out by people below or beside them alone.
    if (ranking && person?.role !== 'owner') approver = 'owner';
  }
  const users = touches?.users?.length ?? 0;
  const rooms = touches?.rooms?.length ?? 0;
  if (users > (question.limits?.users ?? 5) || rooms > (question.limits?.rooms ?? 10))
    need = stronger(need, 'two-person');
  // Only whoever holds this machine has a shell on it, and every owner is paged.
  if (need === 'two-person' && question.breakGlass !== undefined && question.proof === 'shell')
    return { allow: true, need: 'caller', brokeGlass: true };
  return { allow: true, need, ...(approver === undefined ? {} : { approver }) };
}
