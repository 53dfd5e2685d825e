import type { UserId } from '#domain/accounts.ts';
import type { Approvals as ApprovalsPort } from '#domain/bot.ts';
import { OpsError } from '#domain/errors.ts';
import type { InboxItem, Proof } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import { judgeVote, type Prompt } from '#domain/prompts.ts';
import { type Run, runName } from '#domain/runs.ts';
import { type House, isJoined } from './house.ts';
import { eligible, remindAfterMs } from './prompt.ts';
import { runTitle } from '#domain/touched.ts';
import type { Runner } from './runner.ts';
import { type Address, laneOf, say } from './speak.ts';

const yes = new Set(['✅', '☑', '✔']);
const no = new Set(['❌', '✖', '🚫']);
/** Clients add variation selectors and skin tones. */
export const plainEmoji = (emoji: string): string => emoji.replaceAll(/[\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}]/gu, '');

/** Open questions: answered by reaction or typed, reminded of, expired. The row decides, not the event. */
export class Approvals implements ApprovalsPort {
  readonly #house: House;
  readonly #runner: Runner;

  constructor(house: House, runner: Runner) {
    this.#house = house;
    this.#runner = runner;
  }

  open(): Array<{ prompt: Prompt; run: Run }> {
    return this.#house.ledger.openPrompts().flatMap((prompt) => {
      const run = this.#house.ledger.run(prompt.run);
      return run ? [{ prompt, run }] : [];
    });
  }

  async vote(code: string, voter: UserId, verdict: 'approve' | 'deny', proof: Proof): Promise<Run> {
    const { ledger } = this.#house;
    const prompt = ledger.prompt({ code: code.toLowerCase() });
    const run = prompt && ledger.run(prompt.run);
    if (!prompt || !run) {
      throw new OpsError('notFound', `There is no question ${code}.`, { hint: '!pending lists the open ones.' });
    }
    const why = this.#count(prompt, run, voter, verdict, proof);
    if (why !== undefined) throw new OpsError('denied', why);
    return ledger.run(run.id) ?? run;
  }

  /** A reaction; true when it was on one of the questions. A vote that doesn't count is told in the thread. */
  reaction(item: InboxItem): boolean {
    const { ledger } = this.#house;
    if (item.body.kind !== 'reaction') return false;
    const row = ledger.outboxByEvent(item.body.on);
    const prompt = row && ledger.prompt({ message: row.id });
    const run = prompt && ledger.run(prompt.run);
    if (!prompt || !run) return false;
    const emoji = plainEmoji(item.body.emoji);
    const verdict = yes.has(emoji) ? 'approve' : no.has(emoji) ? 'deny' : undefined;
    if (verdict === undefined) return false;
    const why = this.#count(prompt, run, item.sender, verdict, 'reaction', item);
    if (why !== undefined) {
      const address = this.#address(run);
      const reply = { title: `${item.sender}: ${why}` };
      const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: 'refused' as const };
      ledger.commit({
        at: address.at,
        inbox: [{ id: item.id, state: 'done', run: run.id }],
        // A closed question stays silent: late thumbs are no news.
        outbox: prompt.state === 'open' ? [say(ledger, address, reply, mark)] : [],
        audit: [this.#audit(run, item.sender, 'vote refused', { why, verdict })],
      });
    }
    return true;
  }

  /** The caller edited or took back the command: its question ends. */
  withdrawn(item: InboxItem): void {
    const { ledger, clock } = this.#house;
    const event = item.body.kind === 'withdrawn' ? item.body.event : '';
    const [run] = ledger.runsBy({ key: event, states: ['waiting'] }).filter(({ actor }) => actor === item.sender);
    if (run) this.#runner.cancel(run.id, item.sender, { inbox: [{ id: item.id, state: 'done', run: run.id }] });
    else ledger.commit({ at: clock.now(), inbox: [{ id: item.id, state: 'done' }] });
  }

  #address(run: Run): Address {
    const where = run.where ?? { room: this.#house.ports(run.site).bot.opsRoom, thread: undefined, event: undefined };
    return {
      site: run.site,
      where,
      lane: laneOf(run.key),
      about: { kind: 'run', id: run.id },
      at: this.#house.clock.now(),
    };
  }

  #audit(run: Run, actor: UserId, outcome: string, detail: { [key: string]: string }) {
    const at = this.#house.clock.now();
    return { at, actor, site: run.site, run: run.id, incident: undefined, act: run.command, outcome, detail };
  }

  /** Counts a vote in one Change; gives the reason when it doesn't count. */
  #count(
    prompt: Prompt,
    run: Run,
    voter: UserId,
    verdict: 'approve' | 'deny',
    proof: Proof,
    item?: InboxItem,
  ): string | undefined {
    const { ledger, clock } = this.#house;
    const people = this.#house.ports(run.site).operators.list();
    // The shell is there for when the room can't be: who is known on this machine need not be in it.
    const joined = proof === 'shell' || isJoined(this.#house, run.site, voter);
    const now = clock.now();
    const result = judgeVote({ prompt, run, voter, verdict, people, joined, now });
    if (!result.counts) return result.why;
    const change: Change = {
      at: now,
      prompts: [{ ...prompt, rev: prompt.rev + 1, state: result.state, remindAt: undefined }],
      votes: [{ prompt: prompt.id, actor: voter, verdict, proof, at: now }],
      audit: [this.#audit(run, voter, result.state, { code: prompt.code, hash: prompt.planHash, proof })],
      ...(item ? { inbox: [{ id: item.id, state: 'done' as const, run: run.id }] } : {}),
    };
    if (result.state === 'granted') {
      ledger.commit(change);
      void this.#runner.proceed(run.id);
    } else
      this.#runner.end(run, 'denied', new OpsError('denied', `${voter} said no; nothing was done.`), { also: change });
    return undefined;
  }

  /** Expires what nobody answered, and asks the next person. Called every second. */
  tick(): void {
    const now = this.#house.clock.now();
    for (const { prompt, run } of this.open()) {
      if (now >= prompt.expiresAt) {
        const also = { prompts: [{ ...prompt, rev: prompt.rev + 1, state: 'expired' as const, remindAt: undefined }] };
        this.#runner.end(run, 'expired', new OpsError('cancelled', 'Nobody answered in time; nothing was done.'), {
          also,
        });
      } else if (prompt.remindAt !== undefined && now >= prompt.remindAt) this.#remind(prompt, run, now);
    }
  }

  #remind(prompt: Prompt, run: Run, now: number): void {
    const { ledger, settings } = this.#house;
    const ports = this.#house.ports(run.site);
    const joined = ledger.roomFacts(ports.bot.opsRoom)?.joined ?? [];
    const people = ports.operators.list();
    const able = eligible({ people, caller: run.actor, touches: run.touches, role: prompt.role, joined });
    const next = able[prompt.asked % Math.max(1, able.length)];
    const again = { ...prompt, rev: prompt.rev + 1, asked: prompt.asked + 1, remindAt: now + remindAfterMs };
    if (next === undefined) {
      ledger.commit({ at: now, prompts: [{ ...again, remindAt: undefined }] });
      return;
    }
    const title = [
      { user: next },
      `: ${run.actor} asks for a second person for ${runTitle(run)}: `,
      { code: `${settings.prefix}approve ${prompt.code}` },
    ];
    const mark = {
      kind: 'prompt' as const,
      command: run.command,
      run: runName(run.id),
      outcome: 'waiting' as const,
      code: prompt.code,
    };
    const row = say(ledger, this.#address(run), { title }, mark, { rings: true, mentions: [next] });
    ledger.commit({ at: now, prompts: [again], outbox: [row] });
  }
}
