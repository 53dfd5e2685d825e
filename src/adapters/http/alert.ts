import { hashOf } from '#domain/canonical.ts';
import type { Signal } from '#domain/incidents.ts';
import { oneLine, type Read, readEach, severityOf, shortLabels, wordOf, wordsIn } from './alert-fields.ts';
import { Unreadable } from './body.ts';

/**
 * For anything that can send JSON: a script, a cron job, another service. `title` is all it needs; `text`, `severity`,
 * `key` (the same key is the same trouble; without one, the same title is), `group`, `resolved`, `labels` as they come. A
 * list of such is taken too.
 */
export function readAlert(body: unknown, site: string, now: number): Read {
  return readEach(Array.isArray(body) ? body : [body], (alert): Signal => {
    const title = wordOf(alert['title']) ?? '';
    if (title.trim() === '') throw new Unreadable('it has no title');
    const key = `hook:${hashOf(wordOf(alert['key']) || title)}`;
    const group = wordOf(alert['group']) ?? '';
    return {
      site,
      source: 'hook',
      key,
      group: group === '' ? key : `hook:${group.slice(0, 2000).toWellFormed()}`,
      firing: !isResolved(alert),
      severity: severityOf(wordOf(alert['severity'])),
      name: oneLine(title, 200),
      title: oneLine(wordOf(alert['text']) || title, 1000),
      labels: shortLabels(wordsIn(alert['labels'])),
      startedAt: now,
    };
  });
}

const isResolved = ({ resolved, status }: Record<string, unknown>): boolean =>
  ['true', '1', 'yes'].includes(wordOf(resolved)?.toLowerCase() ?? '') || wordOf(status)?.toLowerCase() === 'resolved';
