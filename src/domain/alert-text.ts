import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import { formatDuration } from './duration.ts';
import { type Incident, incidentName, isOpen, type Severity } from './incidents.ts';
import type { Block, Line, Reply, Span } from './messages.ts';
import { formatMoment } from './moment.ts';

export type TextContext = { timezone: string; prefix: string; now: EpochMs };

// An event holds 65,536 bytes, and an edit carries text and HTML twice. So both together, escaped, stay under 30,000:
// the title and the status lines, some alerts in full, and the names of the others.
const detailedLines = 25;
const mostDetailBytes = 9000;
const mostNameBytes = 15_000;

/** What a piece of text takes as plain text and as HTML. */
const bytesOf = (text: string): number =>
  2 * Buffer.byteLength(text) + 5 * (text.length - text.replaceAll(/[&<>"]/g, '').length);
const spanBytes = (span: Span): number =>
  20 +
  (typeof span === 'string' ? bytesOf(span) : Object.values(span).reduce((sum, text) => sum + 2 * bytesOf(text), 0));

const lamps: Record<Severity, string> = { critical: '🔴', warning: '🟠', info: '🔵' };
const rank: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

export const lampOf = (incident: Incident): string =>
  incident.state === 'closed' ? '🟢' : incident.state === 'silenced' ? '⚪' : lamps[incident.severity];

/** Firing before resolved, then the worst first, then the oldest. */
export const byUrgency = (a: Incident, b: Incident): number =>
  Number(isOpen(b)) - Number(isOpen(a)) || rank[a.severity] - rank[b.severity] || a.id - b.id;

const shorten = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const titled = (incident: Incident, most: number): string =>
  incident.title === '' || incident.title === incident.name ? '' : `: ${shorten(incident.title, most)}`;

/** `a17, a18 and 12 more` */
export function namesOf(incidents: readonly Incident[], most = 5): string {
  const names = incidents.slice(0, most).map((incident) => incidentName(incident.id));
  const more = incidents.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

function stateSpans(incident: Incident, { timezone, now }: TextContext): Span[] {
  const at = (time: EpochMs): string => formatMoment(time, timezone, now);
  const since = `, since ${at(incident.openedAt)}`;
  if (incident.state === 'closed') return [`, resolved ${at(incident.closedAt ?? now)}`];
  if (incident.state === 'acked' && incident.ackedBy !== undefined) {
    return [since, ', 👍 ', { user: incident.ackedBy }, ` until ${at(incident.ackedUntil ?? now)}`];
  }
  if (incident.state === 'silenced') return [since, `, silent until ${at(incident.silencedUntil ?? now)}`];
  return [since];
}

/** `🔴 a17 SynapseDown: it does not answer, since 03:04 +02:00` */
export const incidentLine = (incident: Incident, context: TextContext): Span[] => [
  `${lampOf(incident)} `,
  { code: incidentName(incident.id) },
  ' ',
  { bold: shorten(incident.name, 120) },
  // A clause follows.
  titled(incident, 160).replace(/\.$/, ''),
  ...(incident.reopened > 0 ? [` (came back ${incident.reopened}×)`] : []),
  ...stateSpans(incident, context),
];

const countText = (incidents: readonly Incident[]): string => {
  const open = incidents.filter(isOpen);
  const parts = (['critical', 'warning', 'info'] as const)
    .map((severity) => ({ severity, count: open.filter((incident) => incident.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count.toLocaleString('en')} ${severity}`);
  const closed = incidents.length - open.length;
  return [...parts, ...(closed > 0 ? [`${closed.toLocaleString('en')} resolved`] : [])].join(', ');
};

function headline(sorted: readonly Incident[]): Line {
  const [worst] = sorted;
  if (worst === undefined) return '🟢 Nothing here.';
  const lamp = lampOf(worst);
  if (sorted.length === 1) {
    const took =
      worst.closedAt === undefined ? '' : ` after ${formatDuration(Math.max(0, worst.closedAt - worst.openedAt))}`;
    const head = worst.state === 'closed' ? `${lamp} Resolved${took}: ` : `${lamp} `;
    return [head, { bold: shorten(worst.name, 120) }, titled(worst, 300)];
  }
  const sameName = sorted.every((incident) => incident.name === worst.name);
  const what: Span = sameName
    ? { bold: shorten(worst.name, 120) }
    : { bold: `${sorted.length.toLocaleString('en')} alerts` };
  return [`${lamp} ${worst.state === 'closed' ? 'Resolved: ' : ''}`, what, `: ${countText(sorted)}`];
}

/** Names with their ids, as many as fit, by severity: `HighLoad a31 a32, DiskFull a40`. */
function compactNames(rest: readonly Incident[]): { lines: Line[]; left: number } {
  const lines: Line[] = [];
  let bytes = 0;
  let left = 0;
  for (const kind of ['critical', 'warning', 'info', 'resolved'] as const) {
    const ids = new Map<string, number[]>();
    for (const incident of rest) {
      if ((isOpen(incident) ? incident.severity : 'resolved') !== kind) continue;
      const of = ids.get(incident.name);
      if (of === undefined) ids.set(incident.name, [incident.id]);
      else of.push(incident.id);
    }
    const shown: string[] = [];
    for (const [name, of] of ids) {
      const text = [shorten(name, 120), ...of.map(incidentName)].join(' ');
      bytes += bytesOf(text) + 4;
      if (bytes > mostNameBytes) left += of.length;
      else shown.push(text);
    }
    if (shown.length > 0) lines.push([{ bold: kind }, `: ${shown.join(', ')}`]);
  }
  return { lines, left };
}

/** The last page of a post: who was called, and when the next step is due. */
export type PagedNote = { users: UserId[]; at: EpochMs; nextAt: EpochMs | undefined };

function statusLines(open: readonly Incident[], paged: PagedNote | undefined, context: TextContext): Line[] {
  if (open.length === 0) return [];
  const { prefix, timezone, now } = context;
  const unanswered = open.filter((incident) => incident.state === 'open' || incident.state === 'paged');
  if (unanswered.length === 0) return [];
  const lines: Line[] = [];
  if (paged !== undefined) {
    const users = paged.users.flatMap((user, at): Span[] => (at === 0 ? [{ user }] : [', ', { user }]));
    const next = paged.nextAt === undefined ? '' : `; next step ${formatMoment(paged.nextAt, timezone, now)}`;
    lines.push(['Paged ', ...users, ` ${formatMoment(paged.at, timezone, now)}${next}.`]);
  }
  const id = unanswered[0] === undefined ? 'all' : incidentName(unanswered[0].id);
  lines.push(['👍 acknowledges, or ', { code: `${prefix}ack ${id}` }]);
  return lines;
}

/** The first ones in full. When not all can be, only a few are: the names matter more. */
function detailedOf(sorted: readonly Incident[], context: TextContext): Line[] {
  const lines = sorted
    .slice(0, sorted.length > detailedLines ? 10 : detailedLines)
    .map((incident) => incidentLine(incident, context));
  let bytes = 0;
  return lines.filter((line) => (bytes += line.reduce((sum, span) => sum + spanBytes(span), 0)) <= mostDetailBytes);
}

/**
 * The message of a group or a digest. When not every name fits, a file has them all; `fits` says whether it does, and
 * `file` whether to attach it (an edit that adds none needs no second copy).
 */
export function postReply(
  incidents: readonly Incident[],
  options: { file: boolean; paged: PagedNote | undefined },
  context: TextContext,
): { reply: Reply; fits: boolean } {
  const sorted = incidents.toSorted(byUrgency);
  const detailed = detailedOf(sorted, context);
  const { lines: names, left } = compactNames(sorted.slice(detailed.length));
  const blocks: Block[] = [];
  const [only] = sorted;
  if (sorted.length === 1 && only !== undefined) {
    blocks.push({
      kind: 'text',
      lines: [[{ code: incidentName(only.id) }, ` ${only.severity}`, ...stateSpans(only, context)]],
    });
  } else blocks.push({ kind: 'list', items: detailed });
  if (names.length > 0) blocks.push({ kind: 'text', lines: names });
  if (left > 0)
    blocks.push({ kind: 'text', lines: [`…and ${left.toLocaleString('en')} more: alerts.txt has every one.`] });
  const status = statusLines(sorted.filter(isOpen), options.paged, context);
  if (status.length > 0) blocks.push({ kind: 'text', lines: status });
  const reply: Reply = { title: headline(sorted), verdict: 'none', blocks };
  const fits = left === 0;
  if (!fits && options.file) {
    reply.files = [{ name: 'alerts.txt', mime: 'text/plain', content: alertsFile(sorted, context.timezone) }];
  }
  return { reply, fits };
}

/** One line an alert, with everything known of it. */
function alertsFile(incidents: readonly Incident[], timezone: string): string {
  const lines = incidents.map((incident) => {
    const labels = Object.entries(incident.labels).map(([key, value]) => `${key}="${value}"`);
    const since = formatMoment(incident.openedAt, timezone);
    const state = incident.state === 'closed' ? 'resolved' : incident.state;
    const head = `${incidentName(incident.id)}\t${incident.severity}\t${state}\tsince ${since}\t${incident.name}`;
    return `${head}${titled(incident, 500)}\t{${labels.join(', ')}}`.replaceAll(/[\r\n]+/g, ' ');
  });
  return `${lines.join('\n')}\n`;
}

export type PageReason = 'first' | 'unanswered' | 'ack-ran-out';

/** What rings. `noRota`: nobody is on call, so the owners are called. */
export function pageReply(
  due: readonly Incident[],
  options: { reason: PageReason; step: number; noRota: boolean },
  context: TextContext,
): Reply {
  const sorted = due.toSorted(byUrgency);
  const [first] = sorted;
  const since = Math.min(...sorted.map((incident) => incident.openedAt));
  const title: Line =
    sorted.length === 1 && first !== undefined
      ? [`${lampOf(first)} `, { bold: shorten(first.name, 120) }, titled(first, 300)]
      : ['🔴 ', { bold: `${sorted.length.toLocaleString('en')} critical alerts` }, `: ${topNames(sorted)}`];
  const why = {
    first: '',
    unanswered: ` Nobody has acknowledged it yet (step ${options.step + 1}).`,
    'ack-ran-out': ' It was acknowledged, but is still not resolved.',
  }[options.reason];
  const lines: Line[] = [`Critical, since ${formatMoment(since, context.timezone, context.now)}.${why}`];
  const from = first?.labels['from'];
  if (first?.source === 'person' && from !== undefined) lines.push(['Paged by ', { user: from as UserId }, '.']);
  if (options.noRota) lines.push('No rota is set (onCall.layers), so the owners are paged.');
  const ack = sorted.length === 1 && first !== undefined ? incidentName(first.id) : 'all';
  lines.push(['👍 this message, or ', { code: `${context.prefix}ack ${ack}` }, ', acknowledges.']);
  return { title, verdict: 'none', blocks: [{ kind: 'text', lines }] };
}

function topNames(incidents: readonly Incident[]): string {
  const names = [...new Set(incidents.map((incident) => shorten(incident.name, 60)))];
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown} and ${(names.length - 8).toLocaleString('en')} more` : shown;
}
