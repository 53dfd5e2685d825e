import { z } from 'zod';
import { hashOf } from '#domain/canonical.ts';
import type { Signal } from '#domain/incidents.ts';
import { oneLine, severityOf, shortLabels } from './alert-fields.ts';

// For anything that can send JSON: a script, a cron job, another service.
const payload = z.object({
  title: z.string().min(1),
  text: z.string().optional(),
  severity: z.string().optional(),
  /** The same key is the same trouble; without one, the same title is. */
  key: z.string().min(1).optional(),
  group: z.string().min(1).optional(),
  resolved: z.boolean().default(false),
  labels: z.record(z.string(), z.coerce.string()).default({}),
});

/** Throws a ZodError, or SyntaxError, when it isn't such a payload. */
export function readAlert(body: string, site: string, now: number): Signal[] {
  const alert = payload.parse(JSON.parse(body));
  const key = `hook:${hashOf(alert.key ?? alert.title)}`;
  const name = oneLine(alert.title, 200);
  return [
    {
      site,
      source: 'hook',
      key,
      group: alert.group === undefined ? key : `hook:${alert.group.slice(0, 2000)}`,
      firing: !alert.resolved,
      severity: severityOf(alert.severity),
      name,
      title: oneLine(alert.text ?? alert.title, 1000),
      labels: shortLabels(alert.labels),
      startedAt: now,
    },
  ];
}
