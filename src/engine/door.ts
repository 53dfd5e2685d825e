import type { UserId } from '#domain/accounts.ts';
import type { AuditEntry } from '#domain/audit.ts';
import { hashOf, type Json } from '#domain/canonical.ts';
import { asOpsError, OpsError } from '#domain/errors.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Change } from '#domain/ledger.ts';
import type { Reply } from '#domain/messages.ts';
import type { Role } from '#domain/operators.ts';
import type { Confirmation } from '#domain/policy.ts';
import { advance, type Run } from '#domain/runs.ts';
import { glassDetail, glassPages } from './break-glass.ts';
import type { Caller, ChangeCommand, Prepared, Query } from './command.ts';
import { type House, missingPort, permit, portsFor, roleOf, whereOf } from './house.ts';
import { checkArgs, findCommand, type ParseContext, parseContext, readArgs, type Typed } from './parse.ts';
import { openPrompt } from './prompt.ts';
import type { Runner } from './runner.ts';
import { whoIsAsked } from './second-person.ts';
import { type Address, laneOf, say, takeBack, typable } from './speak.ts';
import { shapeOf } from './shape.ts';
import { warnOfGrants } from './unknown-grants.ts';
import { withSign } from './sign-of-life.ts';

const queryTimeoutMs = 60_000;
const hintEveryMs = 60_000;

/**
 * The one door: parse, resolve, permit, prepare, judge, describe, confirm. What is confirmed or needs no confirmation
 * goes to the runner. Each item ends in one Change, so a crash before it means the item is simply met again.
 */
export class Door {
  readonly #house: House;
  readonly #runner: Runner;
  readonly #hintedAtMs = new Map<UserId, number>();

  constructor(house: House, runner: Runner) {
    this.#house = house;
    this.#runner = runner;
    warnOfGrants(house);
  }

  async handle(item: InboxItem): Promise<void> {
    const house = this.#house;
    const ports = house.ports(item.site);
    const context = parseContext(ports.bot, item.body.kind === 'message' ? item.body.links : []);
    let name = '';
    try {
      const typed = this.#read(item, context);
      if (typed === undefined) return this.#ignore(item);
      name = typed.name;
      const args = checkArgs(typed, house.catalogue, context);
      const missing = missingPort(typed.command, ports);
      if (missing !== undefined) {
        const off = ports.bot.off.find(({ port }) => port === missing);
        throw new OpsError('misconfigured', `!${name} needs ${off?.part ?? missing}, which is off.`, {
          hint: off ? `Set ${off.setting} in the settings file.` : 'It is not configured.',
        });
      }
      this.#demand(item, typed);
      if (typed.command.kind === 'query') await this.#answer(item, typed, typed.command, args);
      else await this.#ask(item, typed, typed.command, args);
    } catch (error) {
      house.refusals.refuse(house, item, name, asOpsError(error), this.#address(item));
    }
  }

  #read(item: InboxItem, context: ParseContext): Typed | undefined {
    const { body } = item;
    const { catalogue, settings } = this.#house;
    if (body.kind === 'command') {
      const command = catalogue.command(body.command);
      if (!command) throw new OpsError('invalid', `There is no command "${body.command}".`);
      return { name: body.command, command, args: body.args, dryRun: false };
    }
    if (body.kind !== 'message') return undefined;
    const parsed = findCommand(body.text, catalogue, context);
    if (parsed.kind === 'none') return undefined;
    if (parsed.kind === 'unknown') {
      // Somebody with a role is always told: silence would look like a command that was taken.
      const isWord = /^[a-z][a-z-]{2,}$/.test(parsed.word);
      const known = isWord && this.#house.ports(item.site).operators.find(item.sender) !== undefined;
      if (!known && (parsed.near.length === 0 || !this.#mayHint(item.sender))) return undefined;
      throw new OpsError('invalid', `There is no command "${parsed.word}".`, {
        hint:
          parsed.near.length === 0
            ? `${settings.prefix}help lists all.`
            : `Did you mean ${parsed.near.map((near) => settings.prefix + near).join(', ')}?`,
      });
    }
    return readArgs(parsed, catalogue, context);
  }

  /** Once a minute for each sender: two bots that misunderstand each other must not go on for ever. */
  #mayHint(sender: UserId): boolean {
    const now = this.#house.clock.monotonicMs();
    const last = this.#hintedAtMs.get(sender);
    if (last !== undefined && now - last < hintEveryMs) return false;
    this.#hintedAtMs.set(sender, now);
    return true;
  }

  #demand(item: InboxItem, typed: Typed): void {
    const rule = this.#house.catalogue.ruleOf(typed.name, typed.command);
    const decision = permit(this.#house, { site: item.site, actor: item.sender, proof: item.proof, rule });
    if (!decision.allow) throw new OpsError('denied', decision.why, decision.hint ? { hint: decision.hint } : {});
  }

  #ignore(item: InboxItem): void {
    this.#house.ledger.commit({ at: this.#house.clock.now(), inbox: [{ id: item.id, state: 'ignored' }] });
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
    const { sender: user, proof, room, thread, takenAt: at } = item;
    return { user, role: roleOf(this.#house, item.site, user, proof), proof, room, thread, at, signal };
  }

  async #answer(item: InboxItem, typed: Typed, query: Query, args: { [key: string]: unknown }): Promise<void> {
    const house = this.#house;
    const { ledger } = house;
    const ports = house.ports(item.site);
    const signal = AbortSignal.timeout(queryTimeoutMs);
    const work = Promise.resolve(query.answer(args, portsFor(query, ports), this.#caller(item, signal)));
    const { result, sign } = await withSign(house, () => this.#address(item), item, work);
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
    const rule = house.catalogue.ruleOf(typed.name, command);
    const { touches } = prepared;
    const { site, sender: actor, proof } = item;
    const breakGlass = item.body.kind === 'message' ? item.body.breakGlass : undefined;
    const decision = permit(house, { site, actor, proof, rule, touches, breakGlass });
    if (!decision.allow) throw new OpsError('denied', decision.why, decision.hint ? { hint: decision.hint } : {});
    const address = this.#address(item);
    const removal = sign === undefined ? [] : [takeBack(house.ledger, address, sign)];
    const described = command.describe(prepared.plan, prepared.facts, ports);
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
      ...this.#newRun(item, typed, command, prepared),
      breakGlass: decision.brokeGlass ? breakGlass : undefined,
    };
    const change: Change = { at: address.at, inbox: [{ id: item.id, state: 'done', run: run.id }], outbox: removal };
    if (decision.need === 'none') this.#start(item, run, change);
    else
      this.#wait({ item, run, command, described, need: decision.need, approver: decision.approver, change, address });
  }

  #newRun(item: InboxItem, typed: Typed, command: ChangeCommand, prepared: Prepared<unknown, unknown>): Run {
    const { clock, ledger, build } = this.#house;
    const plan = command.plan.parse(prepared.plan) as Json;
    return {
      id: ledger.reserve('run'),
      rev: 1,
      site: item.site,
      key: item.key,
      actor: item.sender,
      proof: item.proof,
      command: typed.name,
      args: typed.args,
      shape: shapeOf(command),
      plan,
      planHash: hashOf([typed.name, plan]),
      touches: prepared.touches,
      state: 'taken',
      reason: undefined,
      where: whereOf(this.#house, item),
      undoOf: undefined,
      breakGlass: undefined,
      message: undefined,
      madeAt: clock.now(),
      deadlineAt: undefined,
      begunAt: undefined,
      endedAt: undefined,
      build,
    };
  }

  #start(item: InboxItem, run: Run, change: Change): void {
    const running = { ...run, state: 'running' as const, begunAt: change.at };
    this.#runner.start(running, {
      ...change,
      audit: [this.#audit(item, run.command, 'begun', { plan: run.plan, hash: run.planHash }, run.id)],
    });
  }

  #wait(asked: {
    item: InboxItem;
    run: Run;
    command: ChangeCommand;
    described: Reply;
    need: Exclude<Confirmation, 'none'>;
    approver: Role | undefined;
    change: Change;
    address: Address;
  }): void {
    const { item, run, command, described, need, change, address } = asked;
    const house = this.#house;
    const { role, approvers, aloneMs } = whoIsAsked(house, run, command, asked);
    const waiting = { ...advance(run, 'waiting'), rev: 1 };
    const about: Address = { ...address, about: { kind: 'prompt', id: run.id } };
    const { prompt, outbox } = openPrompt({
      house,
      run: waiting,
      address: about,
      described,
      need,
      role,
      approvers,
      aloneMs,
    });
    house.ledger.commit({
      ...change,
      runs: [{ ...waiting, deadlineAt: prompt.expiresAt }],
      prompts: [prompt],
      outbox: [...(change.outbox ?? []), ...outbox, ...glassPages(house, about, waiting)],
      audit: [
        this.#audit(
          item,
          run.command,
          'asked',
          { plan: run.plan, hash: run.planHash, need, code: prompt.code, ...glassDetail(run) },
          run.id,
        ),
      ],
    });
  }
}
