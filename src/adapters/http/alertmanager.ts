import { hashOf } from '#domain/canonical.ts';
import type { Severity, Signal } from '#domain/incidents.ts';
import {
  isRecord,
  oneLine,
  type Read,
  readEach,
  severityOf,
  shortLabels,
  startOf,
  wordOf,
  wordsIn,
} from './alert-fields.ts';
import { Unreadable } from './body.ts';

/**
 * Alertmanager's webhook, version 4, and Grafana's, which is the same with more. Lenient: what can be read is taken, so
 * that a newer sender's new fields, or one odd value, lose no alert. Throws `Unreadable` when no alerts are in it.
 * https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 */
export function readAlertmanager(body: unknown, site: string, now: number): Read {
  const post = isRecord(body) ? body : {};
  const alerts = post['alerts'];
  if (!Array.isArray(alerts)) throw new Unreadable('it has no list of alerts');
  const group =
    wordOf(post['groupKey']) ?? hashOf([wordOf(post['receiver']) ?? '', wordsIn(modest(post['groupLabels']))]);
  const groupKey = `alertmanager:${group.slice(0, 2000).toWellFormed()}`;
  const { signals, ...read } = readEach(alerts, (each): Signal => {
    const labels = wordsIn(each['labels']);
    const annotations = wordsIn(each['annotations']);
    const fingerprint = wordOf(each['fingerprint']) || undefined;
    if (Object.keys(labels).length + Object.keys(annotations).length === 0 && fingerprint === undefined) {
      throw new Unreadable('it has no labels');
    }
    const name = oneLine(labels['alertname'] || 'alert', 200);
    return {
      site,
      source: 'alertmanager',
      // Without the start: an alert that comes back has a new one, and is the same trouble.
      key: `alertmanager:${(fingerprint ?? hashOf(labels)).slice(0, 200).toWellFormed()}`,
      group: groupKey,
      firing: (wordOf(each['status']) ?? wordOf(post['status'])) !== 'resolved',
      severity: severityOf(labels['severity']),
      name,
      title: oneLine(annotations['summary'] ?? annotations['description'] ?? annotations['message'] ?? name, 1000),
      labels: shortLabels(labels),
      startedAt: startOf(each['startsAt'], now),
    };
  });
  const missing = Number(wordOf(post['truncatedAlerts']) ?? 0);
  return { signals: [...signals, truncation(missing > 0 ? missing : 0, groupKey, site)], ...read };
}

/** What belongs to the whole post may be as large as it likes; it is only a name then. */
function modest(value: unknown): unknown {
  try {
    return JSON.stringify(value)?.length < 100_000 ? value : {};
  } catch {
    return {};
  }
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
