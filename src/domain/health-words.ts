import type { EpochMs } from './clock.ts';
import { formatDuration } from './duration.ts';
import type { Finding } from './health.ts';
import type { Block, Line, Verdict } from './messages.ts';
import { formatMoment } from './moment.ts';
import { worst } from './rules.ts';

const trouble = ['critical', 'warning', 'unknown'] as const;

/** The findings that need a look, the worst first. */
export const troubled = (findings: readonly Finding[]): Finding[] =>
  trouble.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict));

/** The verdict of several findings; nothing judged yet is unknown, not well. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  const verdict = worst(findings.map((finding) => finding.verdict));
  return verdict === 'none' ? 'unknown' : verdict;
}

const brief = ({ title, value }: Finding): string => `${title} ${value}`;

/** The answer in one line: `1 critical: sync latency 7.2 s. 2 unknown.` */
export function healthLine(findings: readonly Finding[], well = 'All well'): string {
  const bad = troubled(findings);
  const judged = findings.filter((finding) => finding.verdict === 'ok').length;
  if (bad.length === 0) {
    if (judged === 0) return 'Unknown: nothing has been read yet.';
    return `${well}: ${judged} ${judged === 1 ? 'reading' : 'readings, all'} within limits.`;
  }
  return trouble
    .flatMap((verdict) => {
      const of = bad.filter((finding) => finding.verdict === verdict);
      if (of.length === 0) return [];
      // The worst kind is spelt out, the rest counted: the line has to fit a phone.
      const names =
        verdict === bad[0]?.verdict
          ? `: ${of
              .slice(0, 2)
              .map(verdict === 'unknown' ? ({ title }) => title : brief)
              .join(', ')}`
          : '';
      return [`${of.length} ${verdict}${names}${names !== '' && of.length > 2 ? ', …' : ''}.`];
    })
    .join(' ');
}

/** One finding in full: reading, limit, since when, why. */
export function findingLine(finding: Finding, now: EpochMs, timezone: string): Line {
  const { title, value, limit, note, since, verdict } = finding;
  const facts = [
    verdict === 'unknown' ? title : `${title} ${value}`,
    ...(limit === undefined || verdict === 'unknown' ? [] : [limit]),
    ...(since === undefined ? [] : [`since ${formatMoment(since, timezone, now)} (${formatDuration(now - since)})`]),
  ].join(', ');
  return [{ bold: verdict }, ` ${facts}${note === undefined ? '' : `: ${note}`}`];
}

/** What needs a look as a list; empty when nothing does. */
export function troubleBlocks(findings: readonly Finding[], now: EpochMs, timezone: string): Block[] {
  const bad = troubled(findings);
  return bad.length === 0 ? [] : [{ kind: 'list', items: bad.map((finding) => findingLine(finding, now, timezone)) }];
}

export const findingsTable = (findings: readonly Finding[]): Block => ({
  kind: 'table',
  head: ['What', 'Reading', 'Bad when', 'Verdict'],
  rows: findings.map(({ title, value, limit, verdict }) => [
    title,
    value,
    limit ?? '–',
    verdict === 'none' ? '–' : verdict,
  ]),
});
