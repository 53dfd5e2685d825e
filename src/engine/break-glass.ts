import type { Json } from '#domain/canonical.ts';
import type { NewOutboxRow } from '#domain/outbox.ts';
import { type Run, runName } from '#domain/runs.ts';
import { runTitle } from '#domain/touched.ts';
import type { House } from './house.ts';
import { type Address, say } from './speak.ts';

/** What takes two people is asked for alone: every owner is called, whoever asked among them. */
export function glassPages(house: House, address: Address, run: Run): NewOutboxRow[] {
  if (run.breakGlass === undefined) return [];
  const owners = house
    .ports(run.site)
    .operators.list()
    .filter(({ role }) => role === 'owner')
    .map(({ user }) => user);
  const reply = {
    title: `🔴 Break glass: ${runTitle(run)}, asked for by ${run.actor} from the shell, without a second person.`,
    blocks: [{ kind: 'text' as const, lines: [`Their reason: ${run.breakGlass}`, runName(run.id)] }],
    offers: [
      { text: 'Look', command: `${house.settings.prefix}run ${runName(run.id)}` },
      { text: 'Stop it', command: `${house.settings.prefix}cancel ${runName(run.id)}` },
    ],
  };
  // A lane of its own: an earlier message that can't be said must not hold it up.
  const own = { ...address, lane: `page:glass:${run.id}` };
  const mark = { kind: 'page' as const, command: run.command, run: runName(run.id) };
  return [say(house.ledger, own, reply, mark, { rings: true, mentions: owners })];
}

/** What the audit says of it. */
export const glassDetail = (run: Run): { [key: string]: Json } =>
  run.breakGlass === undefined ? {} : { breakGlass: run.breakGlass };
