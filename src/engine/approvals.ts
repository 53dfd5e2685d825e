import type { UserId } from '#domain/accounts.ts';
import type { Approvals as ApprovalsPort, OpenQuestion } from '#domain/bot.ts';
import type { EpochMs } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import type { InboxItem, Proof } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import { approversOf, isAlone } from '#domain/approvers.ts';
import { judgeVote, type Prompt, type VoteResult } from '#domain/prompts.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import { type Run, runName } from '#domain/runs.ts';
import type { House } from './house.ts';
import { everybody, reminder, remindAfterMs } from './prompt.ts';
import { standingsOf } from './second-person.ts';
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

  open(): OpenQuestion[] {
    return this.#house.ledger.openPrompts().flatMap((prompt) => {
      const run = this.#house.ledger.run(prompt.run);
      if (!run) return [];
      const able =
        prompt.need === 'caller' ? [run.actor] : approversOf(run, prompt.role, standingsOf(this.#house, run.site));
      return [{ prompt, run, able }];
    });
  }

  answerable(voter: UserId, proof: Proof): OpenQuestion[] {
    const verdict = (prompt: Prompt) => (prompt.atEnd === 'proceed' ? 'deny' : 'approve');
    return this.open().filter(({ prompt, run }) => this.#judge(prompt, run, voter, verdict(prompt), proof).counts);
  }

  async vote(code: string, voter: UserId, verdict: 'approve' | 'deny', proof: Proof, key?: string): Promise<Run> {
    const { ledger } = this.#house;
    const prompt = ledger.prompt({ code: code.toLowerCase() });
    const run = prompt && ledger.run(prompt.run);
    if (!prompt || !run) {
      throw new OpsError('notFound', `There is no question ${code}.`, { hint: '!pending lists the open ones.' });
    }
    if (key !== undefined && ledger.votes(prompt.id).some((vote) => vote.inbox === key)) return run;
    const why = this.#count({ prompt, run, voter, verdict, proof, key });
    if (why !== undefined) throw new OpsError('denied', why);
    return ledger.run(run.id) ?? run;
  }

  /** A reaction; true when it was on one of the questions. A vote that doesn't count is told in the thread. */
  reaction(item: InboxItem): boolean {
    const { ledger } = this.#house;
    if (item.body.kind !== 'reaction') return false;
    const row = ledger.outboxByEvent(item.body.on);
    const prompt = row && this.#askedBy(row);
    const run = prompt && ledger.run(prompt.run);
    if (!prompt || !run) return false;
    const emoji = plainEmoji(item.body.emoji);
    const verdict = yes.has(emoji) ? 'approve' : no.has(emoji) ? 'deny' : undefined;
    if (verdict === undefined) return false;
    const why = this.#count({ prompt, run, voter: item.sender, verdict, proof: 'reaction', key: item.key, item });
    if (why !== undefined) {
      const address = this.#address(run);
      const { refusals, settings } = this.#house;
      // A closed question stays silent: late thumbs are no news.
      const answer = prompt.state === 'open' ? refusals.answerTo(item, address.at) : 'silent';
      const reply = answer === 'last' ? refusals.lastWord(settings.prefix) : { title: `${item.sender}: ${why}` };
      const mark = { kind: 'reply' as const, command: run.command, run: runName(run.id), outcome: 'refused' as const };
      ledger.commit({
        at: address.at,
        inbox: [{ id: item.id, state: 'done', run: run.id }],
        outbox: answer === 'silent' ? [] : [say(ledger, address, reply, mark)],
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
    if (run)
      return void this.#runner.cancel(run.id, item.sender, { inbox: [{ id: item.id, state: 'done', run: run.id }] });
    // Not asked about yet: whoever is looking at it finds it gone when they come to ask.
    const asked = ledger.inboxItem(event);
    const early = asked?.state === 'new' && asked.id !== item.id && asked.sender === item.sender;
    const gone = early ? [{ id: asked.id, state: 'ignored' as const }] : [];
    ledger.commit({ at: clock.now(), inbox: [{ id: item.id, state: 'done' }, ...gone] });
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

  #audit(run: Run, actor: UserId, outcome: string, detail: { [key: string]: string | number }) {
    const at = this.#house.clock.now();
    return { at, actor, site: run.site, run: run.id, incident: undefined, act: run.command, outcome, detail };
  }

  /** The question that an event asks: the first one, or a reminder of it. */
  #askedBy(row: OutboxRow): Prompt | undefined {
    const { ledger } = this.#house;
    const first = ledger.prompt({ message: row.id });
    const mark = row.content.kind === 'message' ? row.content.mark : undefined;
    if (first !== undefined || mark?.kind !== 'prompt' || mark.code === undefined) return first;
    const named = ledger.prompt({ code: mark.code });
    return named !== undefined && runName(named.run) === mark.run ? named : undefined;
  }

  #judge(prompt: Prompt, run: Run, voter: UserId, verdict: 'approve' | 'deny', proof: Proof): VoteResult {
    const command = this.#house.catalogue.command(run.command);
    const undo = command?.kind === 'change' ? command.undo : 'none';
    const standings = standingsOf(this.#house, run.site);
    return judgeVote({ prompt, run, voter, verdict, proof, undo, standings });
  }

  /** Counts a vote in one Change; gives the reason when it doesn't count. */
  #count(counted: {
    prompt: Prompt;
    run: Run;
    voter: UserId;
    verdict: 'approve' | 'deny';
    proof: Proof;
    key: string | undefined;
    item?: InboxItem;
  }): string | undefined {
    const { prompt, run, voter, verdict, proof, key, item } = counted;
    const { ledger, clock } = this.#house;
    const now = clock.now();
    const result = this.#judge(prompt, run, voter, verdict, proof);
    if (!result.counts) return result.why;
    const change: Change = {
      at: now,
      prompts: [{ ...prompt, rev: prompt.rev + 1, state: result.state, answeredBy: voter, remindAt: undefined }],
      votes: [{ prompt: prompt.id, actor: voter, verdict, proof, inbox: key, at: now }],
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
    this.#house.refusals.tick(this.#house);
    const now = this.#house.clock.now();
    for (const { prompt, run, able } of this.open()) {
      if (now < prompt.expiresAt) {
        if (prompt.remindAt !== undefined && now >= prompt.remindAt) this.#remind(prompt, run, able, now);
      } else if (prompt.atEnd === 'proceed') this.#waited(prompt, run, now);
      else this.#expire(prompt, run, 'Nobody answered in time; nothing was done.');
    }
  }

  #expire(prompt: Prompt, run: Run, why: string): void {
    const also = { prompts: [{ ...prompt, rev: prompt.rev + 1, state: 'expired' as const, remindAt: undefined }] };
    this.#runner.end(run, 'expired', new OpsError('cancelled', why), { also });
  }

  /** A team of one has waited. Silence counts only if everybody could hear the question, and say no. */
  #waited(prompt: Prompt, run: Run, now: EpochMs): void {
    const { ledger } = this.#house;
    const said = ledger.outboxRow(prompt.message);
    if (said?.eventId === undefined)
      return this.#expire(prompt, run, 'It could not be announced in the room, so nothing was done.');
    if (!isAlone(run.actor, prompt.role, standingsOf(this.#house, run.site)))
      return this.#expire(
        prompt,
        run,
        `Somebody else is ${prompt.role} by now, so silence is no yes; nothing was done.`,
      );
    // What was said while the bot was away or cut off comes first: a no may be among it.
    if ((this.#house.heardUntil() ?? -Infinity) < prompt.expiresAt || ledger.inboxDepth() > 0) return;
    const waitedMs = prompt.expiresAt - run.madeAt;
    ledger.commit({
      at: now,
      prompts: [{ ...prompt, rev: prompt.rev + 1, state: 'granted', remindAt: undefined }],
      audit: [this.#audit(run, run.actor, 'granted', { code: prompt.code, hash: prompt.planHash, waitedMs })],
    });
    void this.#runner.proceed(run.id);
  }

  #remind(prompt: Prompt, run: Run, able: UserId[], now: EpochMs): void {
    const { ledger } = this.#house;
    const alone = prompt.atEnd === 'proceed';
    const next = able[prompt.asked % Math.max(1, able.length)];
    const to = alone ? everybody(this.#house, run) : next === undefined ? [] : [next];
    const goesOn = to.length > 0 && !alone;
    const again = { ...prompt, rev: prompt.rev + 1, asked: prompt.asked + 1 };
    ledger.commit({
      at: now,
      prompts: [{ ...again, remindAt: goesOn ? now + remindAfterMs : undefined }],
      outbox: goesOn || alone ? [reminder(this.#house, this.#address(run), run, prompt, to)] : [],
    });
  }
}
