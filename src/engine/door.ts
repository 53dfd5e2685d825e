import type { AuditEntry } from '#domain/audit.ts';
import type { Json } from '#domain/canonical.ts';
import { formatDuration } from '#domain/duration.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import { judgeLateness } from '#domain/lateness.ts';
import type { Reply } from '#domain/messages.ts';
import { type CommandRule, stronger } from '#domain/policy.ts';
import { advance, type Run } from '#domain/runs.ts';
import { askFirst, newRun } from './asking.ts';
import type { Caller, ChangeCommand, Query } from './command.ts';
import { type House, missingPort, permit, portsFor, roleOf, whereOf } from './house.ts';
import { checkArgs, parseContext, type Typed } from './parse.ts';
import { Reader } from './reader.ts';
import type { Runner } from './runner.ts';
import { type Address, laneOf, say, signAbout, takeBack, typable } from './speak.ts';
import { warnOfGrants } from './unknown-grants.ts';
import { withSign } from './sign-of-life.ts';

const queryTimeoutMs = 60_000;

/**
 * The one door: parse, resolve, permit, prepare, judge, describe, confirm. What is confirmed or needs no confirmation
 * goes to the runner. Each item ends in one Change, so a crash before it means the item is simply met again.
 */
export class Door {
  readonly #house: House;
  readonly #runner: Runner;
  readonly #reader: Reader;

  constructor(house: House, runner: Runner) {
    this.#house = house;
    this.#runner = runner;
    this.#reader = new Reader(house);
    warnOfGrants(house);
  }

  async handle(item: InboxItem): Promise<void> {
    const house = this.#house;
    let name = '';
    try {
      const typed = this.#reader.read(item);
      if (typed === undefined) return this.#ignore(item);
      name = typed.name;
      await this.#carry(item, typed);
    } catch (error) {
      // Taken back by its sender meanwhile.
      if (house.ledger.inboxItem(item.key)?.state === 'ignored') return this.#forget(item);
      house.refusals.refuse(house, item, name, asOpsError(error), this.#address(item));
    }
  }

  async #carry(item: InboxItem, typed: Typed): Promise<void> {
    const { catalogue } = this.#house;
    const ports = this.#house.ports(item.site);
    const args = checkArgs(typed, catalogue, parseContext(ports.bot));
    const missing = missingPort(typed.command, ports);
    if (missing !== undefined) {
      const off = ports.bot.off.find(({ port }) => port === missing);
      throw new OpsError('misconfigured', `!${typed.name} needs ${off?.part ?? missing}, which is off.`, {
        hint: off ? `Set ${off.setting} in the settings file.` : 'It is not configured.',
      });
    }
    this.#demand(item, typed);
    if (typed.command.kind === 'query') await this.#answer(item, typed, typed.command, args);
    else await this.#ask(item, typed, typed.command, args);
  }

  /** Would it change something, and may its sender? Then it is a matter of when it was sent. */
  changes(item: InboxItem): Typed | undefined {
    try {
      const typed = this.#reader.read(item);
      if (typed?.command.kind !== 'change' || typed.dryRun) return undefined;
      this.#demand(item, typed);
      return typed;
    } catch {
      return undefined;
    }
  }

  /** A dry run changes nothing, so a pause doesn't stop it. */
  #rule(typed: Typed): CommandRule {
    const rule = this.#house.catalogue.ruleOf(typed.name, typed.command);
    return typed.dryRun ? { ...rule, runsPaused: true } : rule;
  }

  #demand(item: InboxItem, typed: Typed): void {
    const rule = this.#rule(typed);
    const decision = permit(this.#house, { site: item.site, actor: item.sender, proof: item.proof, rule });
    if (!decision.allow) throw new OpsError('denied', decision.why, decision.hint ? { hint: decision.hint } : {});
  }

  #ignore(item: InboxItem): void {
    this.#house.ledger.commit({ at: this.#house.clock.now(), inbox: [{ id: item.id, state: 'ignored' }] });
  }

  #forget(item: InboxItem): void {
    const { ledger } = this.#house;
    const address = this.#address(item);
    const sign = signAbout(ledger, address.about);
    if (sign !== undefined) ledger.commit({ at: address.at, outbox: [takeBack(ledger, address, sign)] });
  }

  #address(item: InboxItem): Address {
    return {
      site: item.site,
      where: whereOf(this.#house, item),
      lane: laneOf(item.key),
      about: { kind: 'inbox', id: item.id },
      at: this.#house.clock.now(),
    };
  }

  #audit(item: InboxItem, act: string, outcome: string, detail: Json, run?: number): AuditEntry {
    return {
      at: this.#house.clock.now(),
      actor: item.sender,
      site: item.site,
      run,
      incident: undefined,
      act,
      outcome,
      detail: { key: item.key, proof: item.proof, detail },
    };
  }

  #caller(item: InboxItem, signal: AbortSignal): Caller {
    const { sender: user, proof, room, thread, takenAt: at, key } = item;
    return { user, role: roleOf(this.#house, item.site, user, proof), proof, room, thread, at, key, signal };
  }

  async #answer(item: InboxItem, typed: Typed, query: Query, args: { [key: string]: unknown }): Promise<void> {
    const house = this.#house;
    const { ledger } = house;
    const ports = house.ports(item.site);
    const signal = AbortSignal.timeout(queryTimeoutMs);
    const work = Promise.resolve(query.answer(args, portsFor(query, ports), this.#caller(item, signal)));
    const { result, sign } = await withSign(house, () => this.#address(item), item, work);
    const becomes = query.becomes?.(result);
    if (becomes) return this.#carry(item, { ...this.#reader.line(item, becomes.line), undoOf: becomes.undoOf });
    const reply = typable(query.view(result, args, ports), house.settings.prefix);
    const address = this.#address(item);
    const kind = item.source === 'schedule' && typed.name === 'report' ? 'report' : 'reply';
    ledger.commit({
      at: address.at,
      inbox: [{ id: item.id, state: 'done' }],
      outbox: [
        say(ledger, address, reply, { kind, command: typed.name, outcome: 'done' }),
        ...(sign === undefined ? [] : [takeBack(ledger, address, sign)]),
      ],
    });
  }

  async #ask(item: InboxItem, typed: Typed, command: ChangeCommand, args: { [key: string]: unknown }): Promise<void> {
    const house = this.#house;
    const ports = house.ports(item.site);
    const signal = AbortSignal.timeout(queryTimeoutMs);
    const work = Promise.resolve(command.prepare(args, portsFor(command, ports), this.#caller(item, signal)));
    const { result: prepared, sign } = await withSign(house, () => this.#address(item), item, work);
    const rule = this.#rule(typed);
    const { touches } = prepared;
    const { site, sender: actor, proof } = item;
    const breakGlass = item.body.kind === 'message' ? item.body.breakGlass : undefined;
    const decision = permit(house, { site, actor, proof, rule, touches, breakGlass });
    if (!decision.allow) throw new OpsError('denied', decision.why, decision.hint ? { hint: decision.hint } : {});
    const address = this.#address(item);
    const removal = sign === undefined ? [] : [takeBack(house.ledger, address, sign)];
    const { verdict, lateMs } = judgeLateness(item, house.clock.now());
    const late = verdict !== 'run';
    const described = lately(command.describe(prepared.plan, prepared.facts, ports), late ? lateMs : undefined);
    if (typed.dryRun) {
      const reply: Reply = { ...described, title: [`Dry run, nothing was changed. `, ...[described.title].flat()] };
      house.ledger.commit({
        at: address.at,
        inbox: [{ id: item.id, state: 'done' }],
        outbox: [
          say(house.ledger, address, reply, { kind: 'reply', command: typed.name, outcome: 'done' }),
          ...removal,
        ],
      });
      return;
    }
    const run = {
      ...newRun(house, { item, typed, command, prepared }),
      breakGlass: decision.brokeGlass ? breakGlass : undefined,
    };
    const change: Change = { at: address.at, inbox: [{ id: item.id, state: 'done', run: run.id }], outbox: removal };
    const need = late ? stronger(decision.need, 'caller') : decision.need;
    const audit = (outcome: string, detail: Json): AuditEntry =>
      this.#audit(item, run.command, outcome, detail, run.id);
    if (need === 'none') this.#start(run, change, audit);
    else askFirst(house, { run, command, described, need, approver: decision.approver, change, address, audit });
  }

  #start(run: Run, change: Change, audit: (outcome: string, detail: Json) => AuditEntry): void {
    const running = advance(run, 'running', { begunAt: change.at });
    const begun = audit('begun', { plan: run.plan, hash: run.planHash });
    this.#runner.start(running, { ...change, audit: [begun] });
  }
}

/** One question for both: whether it shall still be run, and whether what it does is meant. */
const lately = (described: Reply, lateMs: number | undefined): Reply =>
  lateMs === undefined
    ? described
    : {
        ...described,
        title: [
          `I was down when this was typed, ${formatDuration(lateMs)} ago. Run it now? `,
          ...[described.title].flat(),
        ],
      };
