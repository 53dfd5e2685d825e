import { z } from 'zod';
import { hashOf } from '#domain/canonical.ts';
import type { Severity, Signal } from '#domain/incidents.ts';
import { oneLine, severityOf, shortLabels } from './alert-fields.ts';

// Alertmanager's webhook, version 4, and Grafana's, which is the same with more. Lenient: what can be read is taken, so
// that a newer sender's new fields lose no alert. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
const words = z.record(z.string(), z.coerce.string()).catch({}).default({});
const alert = z.object({
  status: z.string().optional(),
  labels: words,
  annotations: words,
  startsAt: z.string().optional(),
  fingerprint: z.string().optional(),
});
const payload = z.object({
  groupKey: z.coerce.string().optional(),
  status: z.string().optional(),
  receiver: z.string().optional(),
  groupLabels: words,
  truncatedAlerts: z.coerce.number().catch(0).default(0),
  alerts: z.array(alert),
});

/** Throws a ZodError, or SyntaxError, when it isn't such a payload. */
export function readAlertmanager(body: string, site: string): Signal[] {
  const group = payload.parse(JSON.parse(body));
  const groupKey = `alertmanager:${(group.groupKey ?? hashOf([group.receiver ?? '', group.groupLabels])).slice(0, 2000)}`;
  const signals = group.alerts.map((each): Signal => {
    const { labels, annotations } = each;
    const name = oneLine(labels['alertname'] ?? 'alert', 200);
    return {
      site,
      source: 'alertmanager',
      // Without the start: an alert that comes back has a new one, and is the same trouble.
      key: `alertmanager:${(each.fingerprint ?? hashOf(labels)).slice(0, 200)}`,
      group: groupKey,
      firing: (each.status ?? group.status) !== 'resolved',
      severity: severityOf(labels['severity']),
      name,
      title: oneLine(annotations['summary'] ?? annotations['description'] ?? annotations['message'] ?? name, 1000),
      labels: shortLabels(labels),
      startedAt: Date.parse(each.startsAt ?? '') || 0,
    };
  });
  return [...signals, truncation(group.truncatedAlerts, groupKey, site)];
}

/** Alertmanager's `max_alerts` cuts a group off and says only how many are missing: that is an alert of its own. */
function truncation(missing: number, group: string, site: string): Signal {
  return {
    site,
    source: 'alertmanager',
    key: `truncated:${hashOf(group)}`,
    group,
    firing: missing > 0,
    severity: 'warning' satisfies Severity,
    name: 'AlertsTruncated',
    title: `${missing} more alerts of this group were cut off by the sender (max_alerts).`,
    labels: {},
    startedAt: 0,
  };
}
