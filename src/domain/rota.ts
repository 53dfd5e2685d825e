import type { UserId } from './accounts.ts';
import type { EpochMs } from './clock.ts';
import { OpsError } from './errors.ts';
import type { OnDuty } from './incident-desk.ts';

/** When a shift begins: a local time, on one weekday (1 = Monday) when the rotation is weekly. */
export type Handoff = { weekday: number | undefined; hour: number; minute: number };
/** People who take turns. The order is the rotation; everybody stands in it once. */
export type Layer = {
  name: string;
  rotation: 'weekly' | 'daily';
  handoff: Handoff;
  timezone: string;
  people: UserId[];
};
/** Somebody stands in. Where two overlap, the later one in the list wins. */
export type Override = { layer: string; user: UserId; from: EpochMs; until: EpochMs };

// A year of daily turns: further ahead than any stand-in.
const mostBoundaries = 400;

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** `Mon 09:00`, `09:00`; undefined when it is neither. */
export function parseHandoff(text: string): Handoff | undefined {
  const match = /^(?:([a-z]{3})\s+)?([01]?\d|2[0-3]):([0-5]\d)$/i.exec(text.trim());
  const weekday = match?.[1] === undefined ? undefined : weekdays.indexOf(match[1].toLowerCase()) + 1;
  if (match === null || weekday === 0) return undefined;
  return { weekday, hour: Number(match[2]), minute: Number(match[3]) };
}

type WrittenLayer = Omit<Layer, 'handoff' | 'timezone'> & { handoff: string; timezone?: string | undefined };
/** The layers as the settings write them; those without a zone get the installation's. Throws `misconfigured`. */
export function layersOf(written: readonly WrittenLayer[], timezone: string): Layer[] {
  return written.map((layer) => {
    const handoff = parseHandoff(layer.handoff);
    if (handoff === undefined) {
      throw new OpsError(
        'misconfigured',
        `The hand-off "${layer.handoff}" of the on-call layer ${layer.name} is not a time.`,
        {
          hint: 'Write "Mon 09:00", or "09:00" for a daily rotation.',
        },
      );
    }
    return { ...layer, handoff, timezone: layer.timezone ?? timezone };
  });
}

type Shift = { turn: number; from: EpochMs; until: EpochMs };

// Turns are counted from this Monday, so who is on call depends on the settings alone, never on when the bot started.
const firstMonday = Temporal.PlainDate.from('2024-01-01');

const daysOf = (layer: Layer): number => (layer.rotation === 'weekly' ? 7 : 1);

/**
 * The instant at which a turn begins. `compatible`: a local time that the clocks skip moves behind the gap, one that
 * comes twice is its first.
 */
function startOf(layer: Layer, turn: number): EpochMs {
  const { weekday, hour, minute } = layer.handoff;
  const date = firstMonday.add({ days: turn * daysOf(layer) + (layer.rotation === 'weekly' ? (weekday ?? 1) - 1 : 0) });
  const local = date.toPlainDateTime({ hour, minute });
  return local.toZonedDateTime(layer.timezone, { disambiguation: 'compatible' }).epochMilliseconds;
}

function shiftAt(layer: Layer, at: EpochMs): Shift {
  const date = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(layer.timezone).toPlainDate();
  // The turn of this local day or week, which may not have begun yet.
  let turn = Math.floor(firstMonday.until(date).days / daysOf(layer));
  while (startOf(layer, turn) > at) turn -= 1;
  return { turn, from: startOf(layer, turn), until: startOf(layer, turn + 1) };
}

const personOf = (layer: Layer, turn: number): UserId | undefined => {
  const count = layer.people.length;
  return layer.people[((turn % count) + count) % count];
};

function userAt(layer: Layer, overrides: readonly Override[], at: EpochMs): UserId | undefined {
  const standIn = overrides.findLast((o) => o.layer === layer.name && o.from <= at && at < o.until);
  return standIn?.user ?? personOf(layer, shiftAt(layer, at).turn);
}

/** The next instant after `at` at which somebody may begin: a hand-off, or an end of an override. */
function boundaryAfter(layer: Layer, overrides: readonly Override[], at: EpochMs): EpochMs {
  const ends = overrides.filter((o) => o.layer === layer.name).flatMap((o) => [o.from, o.until]);
  return Math.min(shiftAt(layer, at).until, ...ends.filter((end) => end > at));
}

/** Who is on call in a layer at an instant. Undefined only for a layer without people. */
export function onDutyAt(layer: Layer, overrides: readonly Override[], at: EpochMs): OnDuty | undefined {
  const user = userAt(layer, overrides, at);
  if (user === undefined) return undefined;
  const coming = comingAfter(layer, overrides, at);
  return { layer: layer.name, user, until: coming.from, next: coming.user === user ? undefined : coming.user };
}

/**
 * The next change of person after `at`. For a layer of one it is the next hand-off, to the same person: there is no
 * other, and a search would not end.
 */
function comingAfter(layer: Layer, overrides: readonly Override[], at: EpochMs): { user: UserId; from: EpochMs } {
  const now = userAt(layer, overrides, at) as UserId;
  const first = boundaryAfter(layer, overrides, at);
  const others = layer.people.some((user) => user !== now) || overrides.some((o) => o.layer === layer.name);
  for (let from = first, looked = 0; others && looked < mostBoundaries; looked += 1) {
    const user = userAt(layer, overrides, from) as UserId;
    if (user !== now) return { user, from };
    from = boundaryAfter(layer, overrides, from);
  }
  return { user: now, from: first };
}

/** The coming hand-offs of all layers, soonest first. */
export function comingHandoffs(
  layers: readonly Layer[],
  overrides: readonly Override[],
  at: EpochMs,
  limit: number,
): Array<{ layer: string; user: UserId; from: EpochMs }> {
  const all = layers
    .filter((layer) => layer.people.length > 0)
    .flatMap((layer) => {
      const found = [];
      for (let from = at; found.length < limit;) {
        const coming = comingAfter(layer, overrides, from);
        found.push({ layer: layer.name, ...coming });
        from = coming.from;
      }
      return found;
    });
  return all.toSorted((a, b) => a.from - b.from).slice(0, limit);
}
