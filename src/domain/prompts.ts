import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import type { Proof } from './inbox.ts';
import { type Person, roleAtLeast, sameHuman, type Role } from './operators.ts';
import type { Run } from './runs.ts';

export type PromptState = 'open' | 'granted' | 'denied' | 'expired' | 'cancelled';
export type Need = 'caller' | 'two-person';

/** A question to people, as a row: the event in the room is only a pointer to it. */
export type Prompt = {
  id: number;
  rev: number;
  run: number;
  /** Four or more hex digits of the plan's hash, unique among the open prompts. */
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
  state: PromptState;
};

export type Vote = { prompt: number; actor: UserId; verdict: 'approve' | 'deny'; proof: Proof; at: EpochMs };

export type VoteResult = { counts: true; state: 'granted' | 'denied' } | { counts: false; why: string };

/**
 * What one vote does. Two-person: another human than the caller and the targets, with the role; the caller alone may
 * always deny what they asked for. One vote is enough either way.
 */
export function judgeVote(input: {
  prompt: Prompt;
  run: Run;
  voter: UserId;
  verdict: 'approve' | 'deny';
  people: readonly Person[];
  joined: boolean;
  now: EpochMs;
}): VoteResult {
  const { prompt, run, voter, verdict, people } = input;
  if (prompt.state !== 'open') return { counts: false, why: `That question is closed (${prompt.state}).` };
  if (input.now >= prompt.expiresAt)
    return { counts: false, why: 'That question has expired; type the command again.' };
  if (!input.joined) return { counts: false, why: 'Only somebody who is in the ops room may answer.' };
  const person = people.find((p) => p.user === voter || p.aka.includes(voter));
  const isCaller = sameHuman(voter, run.actor, people);
  if (verdict === 'deny' && isCaller) return { counts: true, state: 'denied' };
  if (!roleAtLeast(person?.role, prompt.role)) {
    return { counts: false, why: `Answering this needs the role ${prompt.role}.` };
  }
  if (prompt.need === 'caller') {
    if (!isCaller) return { counts: false, why: `Only ${run.actor}, who asked, may answer this.` };
  } else if (isCaller) {
    return { counts: false, why: 'This needs a second person: whoever asked for it cannot approve it.' };
  } else if ((run.touches.users ?? []).some((touched) => sameHuman(touched.user, voter, people))) {
    return { counts: false, why: 'Whoever is the target cannot approve it.' };
  }
  return { counts: true, state: verdict === 'approve' ? 'granted' : 'denied' };
}

/** The shortest prefix of the plan's hash, four digits at least, that no open prompt has. */
export function codeFor(hash: string, taken: (code: string) => boolean): string {
  for (let length = 4; length <= hash.length; length += 1) {
    const code = hash.slice(0, length);
    if (!taken(code)) return code;
  }
  return hash;
}
