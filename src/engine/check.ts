import type { Severity } from '#domain/incidents.ts';
import type { Reading } from '#domain/readings.ts';
import type { Rule } from '#domain/rules.ts';
import type { Unit } from '#domain/units.ts';
import type { CheckPortName, CheckPorts, SiteCheckPorts } from './check-ports.ts';

/** One value that was read. `of` where a check reads many alike: a path, a host. */
export type CheckSample = {
  name: string;
  of?: string;
  /** Undefined: it couldn't be had, and `note` says why. */
  value: number | undefined;
  note?: string | undefined;
};

/** What the check may look back on. */
export type Before<K> = {
  /** What it kept the last time since the bot started. */
  keep: K | undefined;
  /** Its own stored readings of the last `forMs`, oldest first. */
  history(name: string, forMs: number): Reading[];
};

export type CheckRead<K> = { samples: CheckSample[]; keep?: K };

type ReadPorts<N extends CheckPortName, W extends CheckPortName> = Pick<CheckPorts, N | 'clock'> &
  Partial<Pick<CheckPorts, W>>;

export type CheckDefinition<N extends CheckPortName, W extends CheckPortName, K, V extends string> = {
  /** The part of the house: `synapse`, `postgres`, `livekit`, `disk`, `certificate`, `backup`. */
  part: string;
  title: string;
  everyMs: number;
  /** After this the reading is unknown. 10 s by default. */
  timeoutMs?: number;
  needs: readonly N[];
  wants?: readonly W[];
  /** Reads nothing over the network: says nothing about whether the bot is cut off. */
  local?: boolean;
  /** The check whose trouble explains that this one can't be asked. */
  dependsOn?: string;
  /** How long it may be unknown before that is an alert. 3 min by default. */
  unknownForMs?: number;
  /** How bad that is: `warning` by default. */
  unknownIs?: Severity;
  /** Its values, the most telling first. Keys carry the unit: `resident_bytes`. */
  values: Record<V, { title: string; unit: Unit }>;
  rules: readonly (Rule & { of: NoInfer<V> })[];
  read(ports: ReadPorts<N, W>, before: Before<K>, signal: AbortSignal): Promise<CheckRead<K>>;
};

export type Check = Omit<CheckDefinition<CheckPortName, CheckPortName, unknown, string>, 'read'> & {
  read(ports: SiteCheckPorts, before: Before<unknown>, signal: AbortSignal): Promise<CheckRead<unknown>>;
};
/** The name is its file's: `sync-latency`. */
export type NamedCheck = Check & { name: string };

// Widened to `Check`: only the declaration needs the parameters, the prober runs a check only with all it needs.
export function defineCheck<
  const N extends CheckPortName,
  const V extends string,
  K = undefined,
  const W extends CheckPortName = never,
>(definition: CheckDefinition<N, W, K, V>): Check {
  return definition;
}

/** What a check needs that is off here. */
export const missingFor = (check: Check, ports: SiteCheckPorts): CheckPortName[] =>
  check.needs.filter((name) => ports[name] === undefined);

/** The name of a stored series: `disk.free_bytes:/data`. */
export const seriesOf = (check: string, name: string, of?: string): string =>
  `${check}.${name}${of === undefined ? '' : `:${of}`}`;

/** `disk.free_bytes:/data` of the check `disk` -> its value's name and what it is of. */
export function partsOfSeries(check: string, series: string): { name: string; of: string | undefined } {
  const rest = series.slice(check.length + 1);
  const colon = rest.indexOf(':');
  return colon < 0 ? { name: rest, of: undefined } : { name: rest.slice(0, colon), of: rest.slice(colon + 1) };
}
