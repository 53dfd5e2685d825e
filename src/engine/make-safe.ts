import { asOpsError, causeOf } from '#domain/errors.ts';
import type { Run } from '#domain/runs.ts';
import type { ChangeCommand } from './command.ts';
import type { Hands } from './hands.ts';
import { type House, portsFor } from './house.ts';

/**
 * After a crash that is not resumed: what the change stopped for its time is started again. What comes of it is told with
 * the end of the run. Never rejects.
 */
export async function makeSafe(
  house: House,
  { run, command, hands }: { run: Run; command: ChangeCommand; hands: Hands },
): Promise<void> {
  try {
    const plan = command.plan.safeParse(run.plan);
    if (!plan.success) throw new Error('its plan is of another version');
    const said = await command.makeSafe?.(plan.data, portsFor(command, house.ports(run.site)), hands);
    if (said !== undefined) hands.say(said);
  } catch (error) {
    const ops = asOpsError(error);
    house.log.error({ run: run.id, cause: ops.cause ?? ops }, 'what a run left behind could not be made safe');
    hands.failures.push(`make it safe again: ${ops.kind === 'internal' ? causeOf(ops) : ops.message}`);
  }
}
