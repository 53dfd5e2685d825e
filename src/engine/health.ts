import type { Clock, EpochMs } from '#domain/clock.ts';
import { formatDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import type { CheckInfo, Finding, Health } from '#domain/health.ts';
import type { Verdict } from '#domain/messages.ts';
import type { Reading, Readings } from '#domain/readings.ts';
import { isBad, judge, limitText, since, worst } from '#domain/rules.ts';
import { formatValue } from '#domain/units.ts';
import { missingFor, type NamedCheck, partsOfSeries } from './check.ts';
import type { SiteCheckPorts } from './check-ports.ts';
import type { Prober } from './prober.ts';
import { isBlank, type Judged, judgeRound, type Round } from './round.ts';
import { distance } from './words.ts';

export type HealthOptions = {
  site: string;
  /** All checks, also those that are off here. */
  checks: readonly NamedCheck[];
  ports: SiteCheckPorts;
  prober: Prober;
  readings: Pick<Readings, 'since'>;
  clock: Clock;
  /** Ends what is being read when the bot stops. */
  signal: AbortSignal;
};

// Further back than this a trouble is "more than a day" old; reading more rows would tell nobody more.
const lookBackMs = 86_400_000;
// Two readings may fail to be made before the last one is called old.
const staleAfter = 3;

/** Verdicts on the newest reading of every check. */
export class CheckHealth implements Health {
  readonly #options: HealthOptions;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  findings(part?: string): Finding[] {
    return this.#options.prober.active
      .filter((check) => part === undefined || check.part === part)
      .flatMap((check) => this.#findings(check));
  }

  verdict(): Verdict {
    const verdict = worst(this.findings().map((finding) => finding.verdict));
    return verdict === 'none' ? 'unknown' : verdict;
  }

  checks(): CheckInfo[] {
    return this.#options.prober.active.map(({ name, part, title, everyMs }) => ({ name, part, title, everyMs }));
  }

  async runNow(name?: string): Promise<Finding[]> {
    const { prober, signal } = this.#options;
    const chosen = name === undefined ? prober.active : prober.active.filter((check) => check.name === name);
    if (name !== undefined && chosen.length === 0) throw this.#noSuch(name);
    await Promise.all(chosen.map((check) => prober.probe(check, signal)));
    return chosen.flatMap((check) => this.#findings(check));
  }

  #findings(check: NamedCheck): Finding[] {
    const round = this.#options.prober.round(check.name);
    if (round === undefined) return [this.#whole(check, 'none', 'not read yet', undefined, undefined)];
    const ageMs = this.#options.clock.now() - round.at;
    if (ageMs > staleAfter * check.everyMs + (check.timeoutMs ?? 0)) {
      return [this.#whole(check, 'unknown', 'unknown', `last read ${formatDuration(ageMs)} ago`, round)];
    }
    if (isBlank(round)) {
      const whole = this.#whole(check, 'unknown', 'unknown', round.readings[0]?.note, round);
      return [{ ...whole, since: this.#unknownSince(round) }];
    }
    const judged = judgeRound(check, round);
    return round.readings.map((reading) => this.#finding(check, reading, judged));
  }

  #finding(check: NamedCheck, reading: Reading, all: readonly Judged[]): Finding {
    const { name, of } = partsOfSeries(check.name, reading.series);
    const { title, unit } = check.values[name] ?? { title: name, unit: 'count' as const };
    const judged = all.filter((one) => one.reading === reading);
    const verdict = worst(judged.map((one) => one.verdict));
    const telling = judged.find((one) => one.verdict === verdict);
    const notes = [reading.note?.replace(/\.$/, ''), isBad(verdict) ? telling?.rule.help : undefined].filter(Boolean);
    return {
      name: reading.series,
      part: check.part,
      title: of === undefined ? title : `${title} of ${of}`,
      verdict: reading.value === undefined && verdict === 'none' ? 'unknown' : verdict,
      value: reading.value === undefined ? 'unknown' : formatValue(unit, reading.value),
      limit: telling && limitText(telling.rule, unit, verdict, telling.values),
      note: notes.length === 0 ? undefined : notes.join('. '),
      since: telling && this.#since(reading, telling),
      readAt: reading.at,
    };
  }

  /** Since the part stopped telling: a reading from before says nothing of now. */
  #unknownSince({ readings: [reading] }: Round): EpochMs | undefined {
    if (reading === undefined) return undefined;
    const { readings, site } = this.#options;
    return since(readings.since(site, reading.series, reading.at - lookBackMs), (value) => value === undefined);
  }

  #since(reading: Reading, { rule, values, verdict }: Judged): EpochMs | undefined {
    if (!isBad(verdict)) return undefined;
    const { readings, site } = this.#options;
    const past = readings.since(site, reading.series, reading.at - lookBackMs);
    return since(past, (value) => isBad(judge(rule, value, values)));
  }

  #whole(
    check: NamedCheck,
    verdict: Verdict,
    value: string,
    note: string | undefined,
    round: Round | undefined,
  ): Finding {
    const { part, title, name } = check;
    return { name, part, title, verdict, value, note, limit: undefined, since: undefined, readAt: round?.at };
  }

  #noSuch(name: string): OpsError {
    const { checks, ports, prober } = this.#options;
    const off = checks.find((check) => check.name === name);
    if (off !== undefined) {
      return new OpsError('notFound', `The check ${name} is off: ${missingFor(off, ports).join(', ')} is not set up.`);
    }
    const names = prober.active.map((check) => check.name);
    const near = names.toSorted((a, b) => distance(a, name) - distance(b, name))[0];
    return new OpsError('notFound', `There is no check "${name}".`, {
      hint: near === undefined ? 'No check runs here.' : `Did you mean ${near}? All: ${names.join(', ')}.`,
    });
  }
}
