import { formatDuration } from '#domain/duration.ts';
import type { OpsError } from '#domain/errors.ts';
import type { Block, Line, Reply } from '#domain/messages.ts';
import { type Run, runName } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import type { Hands } from './hands.ts';
import { typable } from './speak.ts';

const signs: Record<string, string> = { done: '✅', partial: '⚠️', interrupted: '⚠️' };

/** What is said at the end of a run: the result first, then what is left and the line that finishes it. */
export function endReply(input: {
  run: Run;
  command: ChangeCommand | undefined;
  error: OpsError | undefined;
  hands: Hands | undefined;
  reply: Reply | undefined;
  /** The line that asked for it, without prefix. */
  typed: string | undefined;
  prefix: string;
}): Reply {
  const { run, error, hands, reply, prefix } = input;
  const sign = signs[run.state] ?? '❌';
  const title: Line = reply?.title ?? headline(run, error);
  const blocks: Block[] = [...(reply?.blocks ?? [])];
  if (hands && hands.lines.length > 0) blocks.push({ kind: 'list', items: hands.lines });
  const unfinished = run.state === 'partial' || run.state === 'interrupted';
  if (hands && hands.failures.length > 0) blocks.push({ kind: 'list', items: hands.failures.map((f) => `not done: ${f}`) });
  else if (unfinished && hands) blocks.push({ kind: 'list', items: hands.left().map((left) => `not done: ${left}`) });
  if (error?.hint) blocks.push({ kind: 'text', lines: [error.hint] });
  const offers = [...(reply?.offers ?? []), ...(hands?.offers ?? [])];
  if (unfinished && input.typed) offers.push({ text: 'Finish it (safe to repeat)', command: input.typed });
  if (run.state === 'interrupted') offers.push({ text: 'See what was done', command: `run ${runName(run.id)}` });
  const inverse = run.state === 'done' || run.state === 'partial' ? input.command?.inverse?.(run.plan) : undefined;
  if (inverse !== undefined) offers.push({ text: 'Undo', command: inverse });
  const took = run.begunAt !== undefined && run.endedAt !== undefined ? ` · ${formatDuration(run.endedAt - run.begunAt)}` : '';
  blocks.push({ kind: 'text', lines: [`${runName(run.id)}${took}`] });
  const whole: Reply = { ...reply, title: [`${sign} `, ...(Array.isArray(title) ? title : [title])], blocks, offers };
  return typable(whole, prefix);
}

function headline(run: Run, error: OpsError | undefined): string {
  const effect = error?.effect === 'unknown' ? ' The last step may or may not have been done.' : '';
  const why = error?.kind === 'internal' ? `Internal error, see the log (${runName(run.id)}).` : (error?.message ?? run.state);
  if (run.state === 'partial') return `${run.command} stopped half-way: ${why}${effect}`;
  if (run.state === 'interrupted') return `${run.command} was interrupted: ${why}${effect}`;
  if (run.state === 'failed') return `${run.command} failed, nothing was changed: ${why}${effect}`;
  return why;
}
