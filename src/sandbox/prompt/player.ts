import { asOpsError } from '#domain/errors.ts';
import { capturesOf } from './captures.ts';
import { capturesIn, fill, fitsExpectation } from './expectation.ts';
import { describeHeard } from './hearing.ts';
import { refusalOf } from './request.ts';
import type { Script, Step } from './script.ts';
import type { Session } from './session.ts';
import { parseTyped } from './typed.ts';

const lastHeard = 8;

/** Plays one script in one session; a failure is told with its line, and with what the bot said instead. */
export class Player {
  private readonly script: Script;
  private readonly session: Session;
  private readonly signal: AbortSignal;
  private named: Record<string, string> = {};
  /** Position in what was heard when the last line was typed. */
  private typedAt = 0;
  private typedLine: Step | undefined;
  private met = 0;

  constructor(script: Script, session: Session, signal: AbortSignal) {
    this.script = script;
    this.session = session;
    this.signal = signal;
  }

  /** Undefined when all was as expected; else what to print. */
  async play(): Promise<{ ok: boolean; report: string }> {
    const startMs = performance.now();
    for (const step of this.script.steps) {
      const wrong = this.signal.aborted ? 'stopped before this line.' : await this.step(step);
      if (wrong !== undefined) return { ok: false, report: this.failure(step, wrong) };
    }
    const tookS = ((performance.now() - startMs) / 1000).toFixed(1);
    return { ok: true, report: `✔ ${this.script.name}: ${this.met} of ${this.met} expectations met in ${tookS} s.` };
  }

  private async step(step: Step): Promise<string | undefined> {
    const captures = { ...capturesOf(this.session.hearing.heard), ...this.named };
    const unknown = capturesIn(step.source).find((name) => captures[name] === undefined);
    if (unknown !== undefined) return `the bot has named no ${unknown} yet, so {{${unknown}}} stands for nothing.`;
    return step.kind === 'type' ? this.type(step, captures) : this.expect(step, captures);
  }

  private async type(step: Step & { kind: 'type' }, captures: Record<string, string>): Promise<string | undefined> {
    const typed = parseTyped(fill(step.text, captures), this.session.peopleNames);
    // Before it is sent: the answer may be here before the homeserver has confirmed the line.
    if (typed.kind !== 'as') {
      this.typedAt = this.session.hearing.heard.length;
      this.typedLine = step;
    }
    try {
      if (typed.kind === 'as') await this.session.as(typed.name);
      else if (typed.kind === 'say') await this.session.say(typed.text);
      else if (typed.kind === 'thread') await this.session.thread(typed.text);
      else if (typed.kind === 'react') await this.session.react(typed.emoji, typed.on);
      else if (typed.kind === 'part') await this.session.operate(typed.act, typed.part);
      else return 'with its captures filled in, this is no line that can be typed.';
    } catch (error) {
      const refusal = refusalOf(error);
      if (!step.refused || refusal === undefined || ![401, 403].includes(refusal.status))
        return asOpsError(error).message;
      this.met += 1;
      return undefined;
    }
    return step.refused ? 'the homeserver took it, and should have refused it.' : undefined;
  }

  private async expect(step: Step & { kind: 'expect' }, captures: Record<string, string>): Promise<string | undefined> {
    const { expectation } = step;
    const { none, withinMs } = expectation;
    const fits = (heard: Parameters<typeof fitsExpectation>[0]): boolean =>
      fitsExpectation(heard, expectation, captures) !== undefined;
    const found = await this.session.hearing.find(this.typedAt, fits, withinMs, this.signal);
    if (this.signal.aborted && found === undefined) return 'stopped while waiting here.';
    if (none && found !== undefined) return `the bot was not to say that, but did: ${describeHeard(found)}`;
    if (!none && found === undefined) return `waited ${withinMs / 1000} s, and the bot did not say that.`;
    if (!none && found !== undefined) this.named = { ...this.named, ...fitsExpectation(found, expectation, captures) };
    this.met += 1;
    return undefined;
  }

  private failure(step: Step, wrong: string): string {
    const since = this.session.hearing.heard.slice(this.typedAt);
    const after = this.typedLine === undefined ? 'the start' : `line ${this.typedLine.line} (${this.typedLine.source})`;
    const heard =
      since.length === 0
        ? [`Nothing came from the bot after ${after}.`]
        : [`The bot, after ${after}:`, ...since.slice(-lastHeard).map((one) => `  ${describeHeard(one)}`)];
    return [`✘ ${this.script.name}:${step.line}: ${step.source}`, `  ${wrong}`, ...heard].join('\n');
  }
}
