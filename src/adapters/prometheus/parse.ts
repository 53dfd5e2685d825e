import type { Family, MetricType, Sample } from '#domain/metrics.ts';
import { OpsError } from '#domain/errors.ts';

// The text exposition format 0.0.4, prometheus.io/docs/instrumenting/exposition_formats.
const types = new Set<string>(['counter', 'gauge', 'histogram', 'summary', 'untyped']);
// A line ends at \n only: with `s` the other line ends of Unicode are characters of a label like any other.
const samplePattern = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+(-?\d+))?[ \t]*$/s;
const labelPattern = /[ \t]*([A-Za-z_]\w*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|$)/sy;
const numberPattern = /^[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)$/;
const suffixes = ['_bucket', '_sum', '_count'];

const bad = (line: number, why: string) =>
  new OpsError('unavailable', `The metrics can't be read: line ${line} ${why}.`, {
    hint: 'Is the address that of a metrics listener?',
  });

function parseValue(text: string): number | undefined {
  if (numberPattern.test(text)) return Number(text);
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}

function parseLabels(text: string): Record<string, string> | undefined {
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  labelPattern.lastIndex = 0;
  while (labelPattern.lastIndex < text.length) {
    const match = labelPattern.exec(text);
    if (match?.[1] === undefined || match[1] in labels) return undefined;
    labels[match[1]] = (match[2] ?? '').replaceAll(/\\(.)/gs, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

/**
 * Reads a scrape. Strict: a line that isn't of the format makes the whole scrape unreadable, since half a scrape would
 * read as absent metrics. Only `wanted` families are kept; the lines of the others are not looked at, which is nearly
 * all of the work. Throws `unavailable`.
 */
export function parseMetrics(text: string, wanted: (family: string) => boolean = () => true): Map<string, Family> {
  const families = new Map<string, Family>();
  const family = (name: string): Family => {
    const known = families.get(name) ?? { name, type: 'untyped', help: undefined, samples: [] };
    families.set(name, known);
    return known;
  };
  // The family a sample line belongs to: a histogram's series carry a suffix.
  const owner = (name: string): string => {
    const suffix = suffixes.find((end) => name.endsWith(end));
    const base = suffix === undefined ? name : name.slice(0, -suffix.length);
    const type = families.get(base)?.type;
    return (type === 'histogram' || type === 'summary') && suffix !== undefined ? base : name;
  };
  let [line, start] = [0, 0];
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const row = text.slice(start, end).trimEnd();
    [start, line] = [end + 1, line + 1];
    if (row === '') continue;
    if (row.startsWith('#')) readComment(row, line, wanted, family);
    else {
      const nameEnd = row.search(/[{ \t]/);
      const of = owner(nameEnd < 0 ? row : row.slice(0, nameEnd));
      if (wanted(of)) family(of).samples.push(readSample(row, line));
    }
  }
  return families;
}

function readComment(
  row: string,
  line: number,
  wanted: (name: string) => boolean,
  family: (name: string) => Family,
): void {
  const match = /^#[ \t]+(HELP|TYPE)[ \t]+(\S+)(?:[ \t]+(.*))?$/s.exec(row);
  if (match?.[2] === undefined || !wanted(match[2])) return;
  const known = family(match[2]);
  if (match[1] === 'HELP') {
    known.help = (match[3] ?? '').replaceAll(/\\([\\n])/g, (_, char: string) => (char === 'n' ? '\n' : '\\'));
  } else {
    if (!types.has(match[3] ?? '')) throw bad(line, `names no known type`);
    known.type = match[3] as MetricType;
  }
}

function readSample(row: string, line: number): Sample {
  const match = samplePattern.exec(row);
  if (match?.[1] === undefined) throw bad(line, 'is no sample');
  const labels = parseLabels(match[2] ?? '');
  if (labels === undefined) throw bad(line, 'has labels that are not of the format');
  const value = parseValue(match[3] ?? '');
  if (value === undefined) throw bad(line, 'has no number');
  return { name: match[1], labels, value };
}
