import { z } from 'zod';
import type { Clock } from '#domain/clock.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Log } from '#domain/log.ts';
import type { Secret } from '#domain/secret.ts';
import { readAlert } from './alert.ts';
import { readAlertmanager } from './alertmanager.ts';
import { showsSecret } from './bearer.ts';
import { type Route, text } from './server.ts';

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

const troubles = ['WebhookTooLarge', 'WebhookUnreadable'] as const;

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
    tooLarge(bytes) {
      tell('WebhookTooLarge', `A webhook of ${bytes} bytes on ${path} was refused, and what it told is lost.`);
    },
    answer({ body }) {
      let signals: Signal[];
      try {
        const content = body.toString('utf8');
        signals = path === '/hooks/alert' ? readAlert(content, site, clock.now()) : readAlertmanager(content, site);
      } catch (error) {
        const why = whyUnreadable(error);
        tell('WebhookUnreadable', `A webhook on ${path} could not be understood: ${why}.`);
        return text(400, `Not understood: ${why}. Nothing was stored.`);
      }
      const over = troubled ? troubles.map((name) => trouble(name, '', false)) : [];
      if (!store([...signals, ...over]))
        return text(503, 'Could not be stored. Send it again.', { 'retry-after': '5' });
      troubled = false;
      return text(200, 'Stored.');
    },
  };

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

/** Where it is wrong, never what stood there. */
function whyUnreadable(error: unknown): string {
  if (error instanceof z.ZodError) {
    const issue = error.issues[0];
    return `${issue?.path.join('.') || 'the body'}: ${issue?.message ?? 'wrong'}`;
  }
  return error instanceof SyntaxError ? 'it is not JSON' : 'it cannot be read';
}
