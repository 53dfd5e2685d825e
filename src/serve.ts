import { healthRoutes } from '#adapters/http/health.ts';
import { hookRoutes } from '#adapters/http/hooks.ts';
import { type GaugeSource, Metrics } from '#adapters/http/metrics.ts';
import { type HttpServer, openHttpServer } from '#adapters/http/server.ts';
import type { Clock } from '#domain/clock.ts';
import type { Backups } from '#domain/backups.ts';
import type { Severity, Signal } from '#domain/incidents.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { PartState } from '#domain/vitals.ts';
import type { Scrubber } from '#domain/scrubber.ts';
import type { Settings } from './settings.ts';

/** What the bot tells of itself in numbers, from its memory at the moment it is asked. */
export function openMetrics(input: {
  ledger: Ledger;
  clock: Clock;
  version: string;
  backups: Backups | undefined;
  standstillSeconds: () => number;
}): Metrics {
  const { ledger, clock, version } = input;
  // Read from disk in the background: a scrape must not wait for it.
  let complete: number | undefined;
  let verified: number | undefined;
  const look = async (): Promise<void> => {
    const sets = (await input.backups?.list().catch(() => undefined)) ?? [];
    const ends = sets.map((set) => set.manifest.endedAt);
    const proofs = sets.flatMap((set) => (set.verification?.ok ? [set.manifest.endedAt] : []));
    complete = ends.length > 0 ? Math.max(...ends) / 1000 : undefined;
    verified = proofs.length > 0 ? Math.max(...proofs) / 1000 : undefined;
  };
  const gauges: GaugeSource = {
    inboxDepth: () => ledger.inboxDepth(),
    outboxDepth: () => ledger.outboxDepth().pending,
    outboxOldestSeconds: () => {
      const { oldestAt } = ledger.outboxDepth();
      return oldestAt === undefined ? 0 : Math.max(0, (clock.now() - oldestAt) / 1000);
    },
    incidentsOpen: () => {
      const open: Record<Severity, number> = { critical: 0, warning: 0, info: 0 };
      for (const incident of ledger.incidents({ open: true })) open[incident.severity] += 1;
      return open;
    },
    backupLastCompleteSeconds: () => {
      void look();
      return complete;
    },
    backupLastVerifiedSeconds: () => verified,
    auditSeq: () => ledger.auditHead().seq,
    standstillSeconds: input.standstillSeconds,
  };
  void look();
  return new Metrics({ version, build: version, gauges });
}

/** Counts an answer that has reached the room; progress and questions are none. */
export function countAnswer(row: OutboxRow, ledger: Ledger, clock: Clock, metrics: Metrics): void {
  if (row.content.kind !== 'message') return;
  const { command, outcome, kind } = row.content.mark;
  if (kind !== 'reply' || command === undefined || outcome === undefined || outcome === 'waiting') return;
  metrics.command(command, outcome);
  const takenAt = row.about.kind === 'inbox' && row.inReplyTo !== undefined ? ledger.takenAt(row.inReplyTo) : undefined;
  if (takenAt !== undefined) metrics.replied(Math.max(0, clock.now() - takenAt) / 1000);
}

/** Health, metrics and webhooks, when `http.listen` is set. Throws `misconfigured` when the address can't be had. */
export async function openServe(input: {
  settings: Settings;
  site: string;
  clock: Clock;
  log: Log;
  scrubber: Scrubber;
  metrics: Metrics;
  parts: () => PartState[];
  receive: (signals: Signal[]) => void;
}): Promise<HttpServer | undefined> {
  const { settings, site, clock, log, scrubber, metrics, receive } = input;
  if (!settings.http) return undefined;
  const hooks = hookRoutes({
    site,
    secret: settings.alerts.webhookSecret,
    clock,
    log,
    receive,
    refused: (path) => metrics.hookRefused(path),
  });
  const routes = new Map([...healthRoutes(input.parts), ...hooks, ['/metrics', metrics.route()] as const]);
  return openHttpServer({ listen: settings.http.listen, routes, log, scrubber });
}
