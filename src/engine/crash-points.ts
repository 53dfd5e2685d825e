import type { Batch } from '#domain/inbox.ts';
import type { Change, Ledger } from '#domain/ledger.ts';
import { hasEnded } from '#domain/runs.ts';
import type { Command } from './command.ts';

/** The ledger's own: a command is taken, asked about, answered, begun and settled; what is said is sent. */
const ledgerPoints = ['taken', 'asked', 'voted', 'begun', 'settled', 'sent'] as const;
type LedgerPoint = (typeof ledgerPoints)[number];

const sides = (name: string): string[] => [`${name}:before`, `${name}:after`];

/** Where a process can be ended on purpose: around each act of each declared step, and around the ledger's commits. */
export function crashPoints(commands: ReadonlyMap<string, Command>): string[] {
  const steps = [...commands].flatMap(([name, command]) =>
    command.kind === 'change' ? Object.keys(command.steps).map((step) => `${name}.${step}`) : [],
  );
  return [...steps, ...ledgerPoints.map((point) => `ledger.${point}`)].flatMap(sides);
}

function pointOf(change: Change): LedgerPoint | undefined {
  if (change.votes && change.votes.length > 0) return 'voted';
  if (change.prompts?.some(({ rev }) => rev === 1)) return 'asked';
  if (change.takeLocks) return 'begun';
  return change.runs?.some(hasEnded) ? 'settled' : undefined;
}

/** The same ledger, which tells before and after each of its points. */
export function tellingLedger(ledger: Ledger, crash: (point: string) => void): Ledger {
  const around = <T>(point: LedgerPoint | undefined, write: () => T): T => {
    if (point !== undefined) crash(`ledger.${point}:before`);
    const result = write();
    if (point !== undefined) crash(`ledger.${point}:after`);
    return result;
  };
  const told: Partial<Ledger> = {
    commit: (change) => around(pointOf(change), () => ledger.commit(change)),
    take: (batch: Batch) => around(batch.items.length > 0 ? 'taken' : undefined, () => ledger.take(batch)),
    settleOutbox: (...args) => around('sent', () => ledger.settleOutbox(...args)),
  };
  return new Proxy(ledger, {
    get(target, property): unknown {
      const own: unknown = Reflect.get(told, property);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}
