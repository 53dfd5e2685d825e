import type { UserId } from '#domain/accounts.ts';
import type { EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import type { OpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Mark, Reply } from '#domain/messages.ts';
import { roleAtLeast } from '#domain/operators.ts';
import { hashOf } from '#domain/canonical.ts';
import type { House } from './house.ts';
import { type Address, errorReply, say, signAbout, takeBack, withPrefix } from './speak.ts';

const windowMs = 60_000;
const mostInWindow = 5;
const silenceMs = 600_000;
/** Characters of a refused line that the audit keeps. */
const keptText = 200;

type Sender = { site: string; refusedAt: EpochMs[]; silentUntil: EpochMs; unanswered: number };

/** What is refused: answered and audited, but not over and over. Somebody who goes on is left unanswered for a while. */
export class Refusals {
  readonly #senders = new Map<UserId, Sender>();

  /** A refusal is a Change too: who wanted what, and why not. */
  refuse(house: House, item: InboxItem, name: string, error: OpsError, address: Address): void {
    const { ledger, log, settings } = house;
    const reference = hashOf([item.key]).slice(0, 4);
    if (error.kind === 'internal')
      log.error({ reference, command: name, cause: error.cause ?? error }, 'internal error');
    const stranger = house.ports(item.site).operators.find(item.sender) === undefined;
    const counted = item.source === 'matrix' && (error.kind === 'denied' || stranger);
    const answer = counted ? this.answerTo(item, address.at) : 'say';
    const sign = signAbout(ledger, address.about);
    const failed = ['internal', 'unavailable', 'misconfigured'].includes(error.kind);
    const mark: Mark = { kind: 'reply', ...(name ? { command: name } : {}), outcome: failed ? 'failed' : 'refused' };
    const reply = answer === 'last' ? this.lastWord(settings.prefix) : errorReply(error, settings.prefix, reference);
    ledger.commit({
      at: address.at,
      inbox: [{ id: item.id, state: 'done' }],
      outbox: [
        ...(answer === 'silent' ? [] : [say(ledger, address, reply, mark)]),
        ...(sign === undefined ? [] : [takeBack(ledger, address, sign)]),
      ],
      ...(error.kind === 'denied' ? { audit: [entryOf(item, name, error, address.at)] } : {}),
    });
  }

  /** `last`: one word that nothing more will be said; after it `silent`, for ten minutes. */
  answerTo(item: Pick<InboxItem, 'sender' | 'site'>, now: EpochMs): 'say' | 'last' | 'silent' {
    const known = this.#senders.get(item.sender);
    const sender = known ?? { site: item.site, refusedAt: [], silentUntil: 0, unanswered: 0 };
    this.#senders.set(item.sender, sender);
    if (now < sender.silentUntil) {
      sender.unanswered += 1;
      return 'silent';
    }
    sender.refusedAt = [...sender.refusedAt.filter((at) => now - at < windowMs), now];
    if (sender.refusedAt.length <= mostInWindow) return 'say';
    sender.silentUntil = now + silenceMs;
    sender.refusedAt = [];
    return 'last';
  }

  lastWord(prefix: string): Reply {
    return {
      title: `❌ That was refused ${mostInWindow} times within a minute. For ${formatDuration(silenceMs)} what is refused to you gets no answer.`,
      blocks: [
        {
          kind: 'text',
          lines: [withPrefix('What you may do is answered as ever; !whoami shows your role.', prefix)],
        },
      ],
    };
  }

  /** Whose silence is over: how much was left unanswered is said once, to the owners. */
  tick(house: House): void {
    const now = house.clock.now();
    for (const [user, sender] of this.#senders) {
      if (now < sender.silentUntil || sender.refusedAt.some((at) => now - at < windowMs)) continue;
      this.#senders.delete(user);
      if (sender.unanswered > 0) report(house, user, sender, now);
    }
  }
}

const entryOf = (item: InboxItem, name: string, error: OpsError, at: EpochMs) => ({
  at,
  actor: item.sender,
  site: item.site,
  run: undefined,
  incident: undefined,
  act: name,
  outcome: 'denied',
  detail: {
    key: item.key,
    proof: item.proof,
    detail: {
      why: error.message,
      ...(item.body.kind === 'message' ? { what: item.body.text.slice(0, keptText) } : {}),
    },
  },
});

function report(house: House, user: UserId, { site, unanswered }: Sender, at: EpochMs): void {
  const { ledger, settings } = house;
  const { bot, operators } = house.ports(site);
  const owners = operators.list().flatMap((person) => (roleAtLeast(person.role, 'owner') ? [person.user] : []));
  const where = { room: bot.opsRoom, thread: undefined, event: undefined };
  const address: Address = { site, where, lane: 'notices', about: { kind: 'notice', id: `refused:${user}:${at}` }, at };
  const reply: Reply = {
    title: `${unanswered} more ${unanswered === 1 ? 'command' : 'commands'} of ${user} were refused, and not answered.`,
    verdict: 'warning',
    offers: [{ text: 'Each of them', command: `${settings.prefix}audit --by ${user}` }],
  };
  ledger.commit({ at, outbox: [say(ledger, address, reply, { kind: 'notice' }, { mentions: owners })] });
}
