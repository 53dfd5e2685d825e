import type { UserId } from './accounts.ts';
import type { Standings } from './approvers.ts';
import { hashOf } from './canonical.ts';
import type { EpochMs } from './clock.ts';
import type { Proof } from './inbox.ts';
import { independent, roleAtLeast, sameHuman, type Role } from './operators.ts';
import type { Run } from './runs.ts';
import { powerLacks, powerOf, roleThatCounts } from './standing.ts';

export type PromptState = 'open' | 'granted' | 'denied' | 'expired' | 'cancelled';
export type Need = 'caller' | 'two-person';

/** A question to people, as a row: the event in the room is only a pointer to it. */
export type Prompt = {
  id: number;
  rev: number;
  run: number;
  /** Four or more hex digits of `bindingOf`, unlike those of any other prompt of the last day. */
  code: string;
  planHash: string;
  need: Need;
  /** The least role of whoever approves. */
  role: Role;
  /** The outbox row that became the prompt's event. */
  message: number;
  /** How often somebody was asked; the next reminder. */
  asked: number;
  remindAt: EpochMs | undefined;
  expiresAt: EpochMs;
  /** What happens when nobody answers. `proceed`: a team of one has waited, and nobody said no. */
  atEnd: 'expire' | 'proceed';
  answeredBy: UserId | undefined;
  state: PromptState;
};

export type Vote = {
  prompt: number;
  actor: UserId;
  verdict: 'approve' | 'deny';
  proof: Proof;
  inbox?: string | undefined;
  at: EpochMs;
};

export type VoteResult = { counts: true; state: 'granted' | 'denied' } | { counts: false; why: string };

/** A code is good for one run: one requester, one command and plan, its targets, until one time. */
export const bindingOf = (run: Run, expiresAt: EpochMs): string =>
  hashOf([
    run.id,
    run.actor,
    run.command,
    run.planHash,
    (run.touches.users ?? []).map(({ user }) => user),
    run.touches.rooms ?? [],
    expiresAt,
  ]);

/**
 * Reactions are never encrypted, so the homeserver could forge one: in an encrypted room a yes is typed where two people
 * are needed, or where what is done can't be undone. A no may always come by reaction: forged, it does no harm.
 */
export const mustType = (room: { encrypted: boolean }, need: Need, undo: 'fully' | 'partly' | 'none'): boolean =>
  room.encrypted && (need === 'two-person' || undo === 'none');

/**
 * What one vote does. Two-person: another human than the caller and the targets, with the role, and none who answers
 * for them; the caller alone may always deny what they asked for. One vote is enough either way.
 */
export function judgeVote(input: {
  prompt: Prompt;
  run: Run;
  voter: UserId;
  verdict: 'approve' | 'deny';
  proof: Proof;
  undo: 'fully' | 'partly' | 'none';
  standings: Standings;
}): VoteResult {
  const { prompt, run, voter, verdict, proof, standings } = input;
  const { people, facts, rules, now } = standings;
  const no = (why: string): VoteResult => ({ counts: false, why });
  const yes: VoteResult = { counts: true, state: verdict === 'approve' ? 'granted' : 'denied' };
  if (prompt.state !== 'open') return no(`That question is closed (${prompt.state}).`);
  // Where silence is a yes, a no counts as long as nothing has begun.
  const stops = verdict === 'deny' && prompt.atEnd === 'proceed';
  if (now >= prompt.expiresAt && !stops) return no('That question has expired; type the command again.');
  if (prompt.planHash !== run.planHash || !bindingOf(run, prompt.expiresAt).startsWith(prompt.code)) {
    return no('That code was given for something else; type the command again.');
  }
  if (proof !== 'shell' && facts?.joined.includes(voter) !== true)
    return no('Only somebody who is in the ops room may answer.');
  if (proof === 'unsigned-device') return no('Your device is not verified, so its answer does not count.');
  const encrypted = facts?.encrypted ?? false;
  if (encrypted && proof === 'clear') return no('Your answer came unencrypted, so it does not count.');
  const isCaller = sameHuman(voter, run.actor, people);
  // Whoever asked may take it back; who asked alone is stopped by anybody here.
  if (stops || (verdict === 'deny' && isCaller)) return yes;
  const person = people.find((p) => p.user === voter || p.aka.includes(voter));
  const power = powerOf(facts, voter);
  const role = proof === 'shell' ? person?.role : roleThatCounts(person, power, rules);
  if (!roleAtLeast(role, prompt.role)) {
    const listed = person !== undefined && roleAtLeast(person.role, prompt.role);
    const lacks = listed ? powerLacks(person, power, rules) : undefined;
    return no(lacks?.why ?? `Answering this needs the role ${prompt.role}.`);
  }
  if (prompt.need === 'caller') {
    if (!isCaller) return no(`Only ${run.actor}, who asked, may answer this.`);
  } else if (isCaller) {
    return no('This needs a second person: whoever asked for it cannot approve it.');
  } else if ((run.touches.users ?? []).some((touched) => !independent(touched.user, voter, people, now))) {
    return no('Whoever is the target cannot approve it.');
  } else if (!independent(voter, run.actor, people, now)) {
    return no(
      `${voter} and ${run.actor} count as one: one was added by the other alone, less than a day ago. Another owner can confirm them with !people add.`,
    );
  }
  if (verdict === 'approve' && proof === 'reaction' && mustType({ encrypted }, prompt.need, input.undo)) {
    return no(`In an encrypted room a reaction is no yes to this. Type: !approve ${prompt.code}`);
  }
  return yes;
}

/** The shortest prefix of the hash, four digits at least, that isn't taken. */
export function codeFor(hash: string, taken: (code: string) => boolean): string {
  for (let length = 4; length <= hash.length; length += 1) {
    const code = hash.slice(0, length);
    if (!taken(code)) return code;
  }
  return hash;
}
