import type { EpochMs } from '#domain/clock.ts';
import type { Severity, Signal } from '#domain/incidents.ts';
import type { Readings } from '#domain/readings.ts';
import { isBad, judge, limitText, since, worst } from '#domain/rules.ts';
import { formatValue } from '#domain/units.ts';
import type { NamedCheck } from './check.ts';
import { CutOff } from './cut-off.ts';
import { type Judged, judgeRound, type Round } from './round.ts';

type Options = {
  site: string;
  checks: readonly NamedCheck[];
  readings: Pick<Readings, 'since'>;
  roundOf: (check: string) => Round | undefined;
};

const defaultUnknownForMs = 180_000;

/**
 * Turns rounds of readings into what the alerter is told. One bad reading is no alert unless its rule says so; how long
 * it has been bad is read from the stored readings, so that a restart neither forgets nor hastens it. What fires is told
 * again with every round; a reading that is unknown doesn't end it.
 */
export class CheckSignals {
  readonly #options: Options;
  readonly #firing = new Map<string, Signal>();
  // Told once since the start, so that an incident from before it can end.
  readonly #told = new Set<string>();
  readonly #unknownSince = new Map<string, EpochMs>();
  readonly #cutOff: CutOff;

  constructor(options: Options) {
    this.#options = options;
    this.#cutOff = new CutOff(options.checks, options.roundOf);
  }

  after(check: NamedCheck, round: Round): Signal[] {
    const judged = judgeRound(check, round);
    const signals = judged.flatMap((one) => this.#rule(check, one, round.at));
    const cutOff = this.#cutOff.after(round.at);
    if (cutOff.ended) this.#unknownSince.clear();
    signals.push(...this.#unknown(check, judged, round, cutOff.cut), ...this.#cut(cutOff, round.at));
    return [...signals, ...this.#gone(check, judged, round)];
  }

  #rule(check: NamedCheck, { rule, of, reading, values, verdict }: Judged, at: EpochMs): Signal[] {
    const key = `check:${rule.name}${of === undefined ? '' : `:${of}`}`;
    if (verdict === 'unknown') return this.#again(key);
    if (!isBad(verdict)) return this.#end(key, check, rule.alert, at);
    const readings = this.#options.readings.since(
      this.#options.site,
      reading.series,
      at - 2 * rule.forMs - 2 * check.everyMs,
    );
    const lasted = (bad: (value: number | undefined) => boolean) => at - (since(readings, bad) ?? at) >= rule.forMs;
    const broken = lasted((value) => isBad(judge(rule, value, values)));
    const firing = this.#firing.get(key);
    if (!broken || (firing === undefined && this.#inhibited(rule.inhibitedBy))) return this.#again(key);
    const critical = verdict === 'critical' && lasted((value) => judge(rule, value, values) === 'critical');
    const severity: Severity = critical ? 'critical' : 'warning';
    // The text stays as it was when it began: a new one would be an edit in the room every minute.
    if (firing?.severity === severity) return [firing];
    const { title, unit } = check.values[rule.of] ?? { title: check.title, unit: 'count' as const };
    const limit = limitText(rule, unit, verdict, values);
    const shown = `${title}${of === undefined ? '' : ` of ${of}`}: ${formatValue(unit, reading.value ?? 0)}`;
    return this.#fire({
      ...this.#signal(key, check, rule.alert, firing?.startedAt ?? at),
      severity,
      title: [`${shown}${limit === undefined ? '' : ` (${limit})`}`, reading.note].filter(Boolean).join('. '),
      labels: {
        part: check.part,
        check: check.name,
        rule: rule.name,
        ...(of === undefined ? {} : { of }),
        help: rule.help,
      },
    });
  }

  #unknown(check: NamedCheck, judged: readonly Judged[], round: Round, cut: boolean): Signal[] {
    const key = `check:${check.name}:unknown`;
    const blind = judged.find((one) => one.verdict === 'unknown')?.reading ?? blank(round);
    if (blind === undefined) {
      this.#unknownSince.delete(check.name);
      return this.#end(key, check, 'CannotRead', round.at);
    }
    const start = this.#unknownSince.getOrInsert(check.name, round.at);
    if (this.#firing.has(key)) return this.#again(key);
    const tooShort = round.at - start < (check.unknownForMs ?? defaultUnknownForMs);
    if (tooShort || cut || this.#explained(check)) return [];
    return this.#fire({
      ...this.#signal(key, check, 'CannotRead', start),
      severity: check.unknownIs ?? 'warning',
      title: `${check.title} can't be read: ${blind.note ?? 'no reason given'}`,
      labels: { part: check.part, check: check.name },
    });
  }

  #cut({ cut, due, what }: ReturnType<CutOff['after']>, at: EpochMs): Signal[] {
    const key = 'check:cut-off';
    const base = {
      ...this.#signal(key, { name: 'cut-off', part: 'bot' }, 'CutOff', at),
      severity: 'critical' as const,
    };
    if (!cut) return this.#end(key, { name: 'cut-off', part: 'bot' }, 'CutOff', at);
    if (this.#firing.has(key)) return this.#again(key);
    return due ? this.#fire({ ...base, title: `The bot is cut off: no answer from ${what}.` }) : [];
  }

  /** What fired for a path or host that is no longer read. */
  #gone(check: NamedCheck, judged: readonly Judged[], round: Round): Signal[] {
    if (blank(round) !== undefined) return [];
    const keys = new Set(judged.map(({ rule, of }) => `check:${rule.name}${of === undefined ? '' : `:${of}`}`));
    return [...this.#firing.values()]
      .filter(({ key, labels }) => labels['check'] === check.name && labels['of'] !== undefined && !keys.has(key))
      .flatMap(({ key, name }) => this.#end(key, check, name, round.at));
  }

  #inhibited(rules: readonly string[] = []): boolean {
    return this.#options.checks.some((check) => {
      const round = this.#options.roundOf(check.name);
      return round && judgeRound(check, round).some((one) => rules.includes(one.rule.name) && isBad(one.verdict));
    });
  }

  /** The check it depends on is in trouble itself. */
  #explained(check: NamedCheck): boolean {
    const cause = this.#options.checks.find((other) => other.name === check.dependsOn);
    const round = cause && this.#options.roundOf(cause.name);
    if (!cause || !round) return false;
    return ['critical', 'unknown'].includes(worst(judgeRound(cause, round).map((one) => one.verdict)));
  }

  #signal(key: string, check: Pick<NamedCheck, 'name' | 'part'>, name: string, startedAt: EpochMs): Signal {
    const { site } = this.#options;
    const labels = { part: check.part, check: check.name };
    const group = `checks:${check.part}`;
    return {
      site,
      source: 'check',
      key,
      group,
      firing: true,
      severity: 'warning',
      name,
      title: name,
      labels,
      startedAt,
    };
  }

  #fire(signal: Signal): Signal[] {
    this.#told.add(signal.key);
    this.#firing.set(signal.key, signal);
    return [signal];
  }

  #again(key: string): Signal[] {
    const firing = this.#firing.get(key);
    return firing === undefined ? [] : [firing];
  }

  #end(key: string, check: Pick<NamedCheck, 'name' | 'part'>, name: string, at: EpochMs): Signal[] {
    const firing = this.#firing.get(key);
    this.#firing.delete(key);
    if (firing === undefined && this.#told.has(key)) return [];
    this.#told.add(key);
    return [{ ...(firing ?? this.#signal(key, check, name, at)), firing: false }];
  }
}

const blank = (round: Round) =>
  round.readings.every((one) => one.value === undefined) ? round.readings[0] : undefined;
