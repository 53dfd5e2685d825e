import type { Clock } from '#domain/clock.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Log } from '#domain/log.ts';
import type { Secret } from '#domain/secret.ts';
import { readAlert } from './alert.ts';
import { readAlertmanager } from './alertmanager.ts';
import type { Read } from './alert-fields.ts';
import { showsSecret } from './bearer.ts';
import { readJson, TooLarge, Unreadable } from './body.ts';
import { defaultLimits, type Route, text } from './server.ts';

export type HooksOptions = {
  site: string;
  secret: Secret | undefined;
  clock: Clock;
  log: Log;
  /** Stores all of them before it returns; throws when it can't. */
  receive: (signals: Signal[]) => void;
  /** Counted: what was refused for want of the secret. */
  refused?: (path: string) => void;
};

const paths = ['/hooks/alertmanager', '/hooks/alert'] as const;

/**
 * The webhooks. 200 only once the alerts are on disk. What can't be stored now is a 503, never a 4xx or 429:
 * Alertmanager tries again after a 5xx and throws the others away.
 */
export function hookRoutes(options: HooksOptions): Map<string, Route> {
  return new Map(paths.map((path) => [path, hook(path, options)]));
}

const troubles = ['WebhookTooLarge', 'WebhookUnreadable', 'WebhookAlertUnreadable'] as const;

function hook(path: (typeof paths)[number], options: HooksOptions): Route {
  const { site, secret, clock, log, receive } = options;
  // Not known after a start, so the first webhook that is understood closes what an earlier process opened.
  let troubled = true;
  return {
    method: 'POST',
    guard(headers) {
      if (secret === undefined) return text(503, 'Webhooks are off: alerts.webhookSecret is not set.');
      if (showsSecret(headers, secret)) return undefined;
      options.refused?.(path);
      return text(401, 'Send the secret as Authorization: Bearer …', { 'www-authenticate': 'Bearer' });
    },
    tooLarge,
    async answer({ body }) {
      let found: Read;
      try {
        const json = await readJson(body, defaultLimits.bodyBytes);
        found =
          path === '/hooks/alert' ? readAlert(json, site, clock.now()) : readAlertmanager(json, site, clock.now());
      } catch (error) {
        if (error instanceof TooLarge) {
          tooLarge(body.length);
          return text(413, `More than ${defaultLimits.bodyBytes} bytes when unpacked. Nothing was stored.`);
        }
        return notUnderstood(error instanceof Unreadable ? error.message : 'it cannot be read');
      }
      const { signals, understood, bad } = found;
      if (bad.length > 0) log.warn({ path, bad: bad.length, first: bad.slice(0, 5) }, 'alerts could not be read');
      // What is wrong with one alert must not cost the others; but where nothing is left, the sender is told.
      if (bad.length > 0 && understood === 0) return notUnderstood(bad[0] ?? '');
      const lost = bad.length > 0 ? [trouble('WebhookAlertUnreadable', unreadTitle(bad), true)] : [];
      const over = troubled && bad.length === 0 ? troubles.map((name) => trouble(name, '', false)) : [];
      if (!store([...signals, ...lost, ...over]))
        return text(503, 'Could not be stored. Send it again.', { 'retry-after': '5' });
      troubled = bad.length > 0;
      return text(200, bad.length > 0 ? `Stored, but for ${bad.length}: ${bad[0]}.` : 'Stored.');
    },
  };

  function unreadTitle(bad: readonly string[]): string {
    const many = bad.length === 1 ? 'An alert' : `${bad.length} alerts`;
    return `${many} of a webhook on ${path} cannot be read: what it told is lost (${bad[0]}). The others were stored.`;
  }

  function notUnderstood(why: string): ReturnType<typeof text> {
    tell('WebhookUnreadable', `A webhook on ${path} could not be understood: ${why}.`);
    return text(400, `Not understood: ${why}. Nothing was stored.`);
  }

  function tooLarge(bytes: number): void {
    tell('WebhookTooLarge', `A webhook of ${bytes} bytes on ${path} was refused, and what it told is lost.`);
  }

  function store(signals: Signal[]): boolean {
    try {
      receive(signals);
      return true;
    } catch (error) {
      log.error({ path, error }, 'alerts could not be stored');
      return false;
    }
  }

  function trouble(name: (typeof troubles)[number], title: string, firing: boolean): Signal {
    const key = `bot:${name}:${path}`;
    const fields = { site, source: 'bot', key, group: key, firing, severity: 'warning' as const, name, title };
    return { ...fields, labels: { path }, startedAt: clock.now() };
  }

  /** The sender throws away what was refused for good, so the room has to hear of it. */
  function tell(name: (typeof troubles)[number], title: string): void {
    troubled = true;
    store([trouble(name, title, true)]);
  }
}
