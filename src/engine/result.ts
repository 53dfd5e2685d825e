import { formatDuration } from '#domain/duration.ts';
import type { OpsError } from '#domain/errors.ts';
import type { Block, Line, Reply } from '#domain/messages.ts';
import { type Run, runName } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import type { Hands } from './hands.ts';
import { hintLine, typable } from './speak.ts';

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
  const unsure = run.state === 'failed' && error !== undefined && error.effect !== 'none';
  const unfinished = run.state === 'partial' || run.state === 'interrupted' || unsure;
  const left = hands && unfinished ? leftOf(hands, reply !== undefined) : [];
  if (left.length > 0) blocks.push({ kind: 'list', items: left });
  if (error?.hint) blocks.push({ kind: 'text', lines: [hintLine(error.hint, prefix)] });
  const offers = [...(reply?.offers ?? []), ...(hands?.offers ?? [])];
  const repeatable = Object.values(input.command?.steps ?? {}).every((step) => step.again !== 'never');
  if (unfinished && input.typed)
    offers.push({ text: repeatable ? 'Finish it (safe to repeat)' : 'Ask for it again', command: input.typed });
  if (run.state === 'interrupted') {
    const id = runName(run.id);
    offers.push({ text: 'See what was done', command: `run ${id}` });
    offers.push({ text: 'Go on from there', command: `run continue ${id}` });
    offers.push({ text: 'Leave it as it is', command: `run abandon ${id}` });
  }
  const inverse = run.state === 'done' || run.state === 'partial' ? input.command?.inverse?.(run.plan) : undefined;
  if (inverse !== undefined) offers.push({ text: 'Undo', command: inverse });
  const took =
    run.begunAt !== undefined && run.endedAt !== undefined ? ` · ${formatDuration(run.endedAt - run.begunAt)}` : '';
  blocks.push({ kind: 'text', lines: [`${runName(run.id)}${took}`] });
  // The outcome's sign leads; what the command found is in its words.
  const whole: Reply = {
    ...reply,
    verdict: 'none',
    title: [`${sign} `, ...(Array.isArray(title) ? title : [title])],
    blocks,
    offers,
  };
  return typable(whole, prefix);
}

/** What is done, what may be and what isn't; of a run that went through to its end only what failed. */
function leftOf(hands: Hands, wentThrough: boolean): Line[] {
  const failures = hands.failures.map((failure) => `not done: ${failure}`);
  if (wentThrough) return failures;
  const { done, unsure, left } = hands.tally();
  const others = left.filter((title) => !hands.failures.some((failure) => failure.startsWith(`${title}: `)));
  return [
    ...(done.length > 0 ? [`done: ${done.join(', ')}`] : []),
    ...unsure.map((title) => `cut off, perhaps done: ${title}`),
    ...failures,
    ...others.map((title) => `not done: ${title}`),
  ];
}

function headline(run: Run, error: OpsError | undefined): string {
  const effect = error?.effect === 'unknown' ? ' The last step may or may not have been done.' : '';
  const why =
    error?.kind === 'internal' ? `Internal error, see the log (${runName(run.id)}).` : (error?.message ?? run.state);
  if (run.state === 'partial') return `${run.command} stopped half-way: ${why}${effect}`;
  if (run.state === 'interrupted') return `${run.command} was interrupted: ${why}${effect}`;
  if (run.state === 'failed')
    return `${run.command} failed${error?.effect === 'none' ? ', nothing was changed' : ''}: ${why}${effect}`;
  return why;
}
