import { hashOf } from '#domain/canonical.ts';
import { z } from './args.ts';
import type { ChangeCommand } from './command.ts';

/** Hash of the plan's JSON Schema and the declared steps: a stored run of another shape can't be resumed. */
export function shapeOf(command: ChangeCommand): string {
  const steps = Object.entries(command.steps).map(([key, step]) => [key, step.again, step.keep ?? true]);
  return hashOf([z.toJSONSchema(command.plan, { io: 'output', unrepresentable: 'any' }), steps]).slice(0, 16);
}
