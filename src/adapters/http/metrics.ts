import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Severity } from '#domain/incidents.ts';
import type { Route } from './server.ts';

/** What is read at the moment of a scrape; undefined: unknown, so the sample is left out (0 would be a lie). */
export type GaugeSource = {
  inboxDepth(): number | undefined;
  outboxDepth(): number | undefined;
  /** Age of the oldest thing to be said; 0 when there is none. */
  outboxOldestSeconds(): number | undefined;
  incidentsOpen(): Record<Severity, number> | undefined;
  backupLastCompleteSeconds(): number | undefined;
  backupLastVerifiedSeconds(): number | undefined;
  auditSeq(): number | undefined;
  /** Longest of the last minute. */
  standstillSeconds(): number | undefined;
};

export type Outcome = 'done' | 'refused' | 'failed' | 'partial' | 'waiting';
export type AlertFate = 'new' | 'dedup' | 'silenced' | 'inhibited';

/** What the bot tells Prometheus of itself, in a registry of its own. The names are in the surface: fixed. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #commands = this.#counter('opsroom_commands_total', 'Commands by outcome.', ['command', 'outcome']);
  readonly #received = this.#counter(
    'opsroom_alerts_received_total',
    'Firing alerts received, by webhook or check.',
    [],
  );
  readonly #alerts = this.#counter('opsroom_alerts_total', 'What became of them; the sum is those received.', ['fate']);
  readonly #refused = this.#counter('opsroom_hooks_refused_total', 'Webhooks without the right secret.', ['path']);
  readonly #reply = new Histogram({
    name: 'opsroom_reply_seconds',
    help: 'From taking a command to its answer being sent.',
    buckets: [0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [this.#registry],
  });

  constructor(options: { version: string; build: string; gauges: GaugeSource }) {
    const { gauges } = options;
    this.#gauge('opsroom_inbox_depth', 'What was asked and is not taken up yet.', () => gauges.inboxDepth());
    this.#gauge('opsroom_outbox_depth', 'What is still to be said.', () => gauges.outboxDepth());
    this.#gauge('opsroom_outbox_oldest_seconds', 'Age of the oldest of it.', () => gauges.outboxOldestSeconds());
    this.#gauge('opsroom_backup_last_complete_timestamp_seconds', 'End of the newest complete backup.', () =>
      gauges.backupLastCompleteSeconds(),
    );
    this.#gauge(
      'opsroom_backup_last_verified_timestamp_seconds',
      'End of the newest backup proved by restoring it.',
      () => gauges.backupLastVerifiedSeconds(),
    );
    this.#gauge('opsroom_audit_seq', 'Number of the last row of the audit log.', () => gauges.auditSeq());
    this.#gauge('opsroom_event_loop_lag_seconds', 'Longest standstill of the bot in the last minute.', () =>
      gauges.standstillSeconds(),
    );
    const info = { version: options.version, build: options.build };
    const labels = ['version', 'build'] as const;
    new Gauge({ name: 'opsroom_build_info', help: 'Always 1.', labelNames: labels, registers: [this.#registry] }).set(
      info,
      1,
    );
    new Gauge({
      name: 'opsroom_incidents_open',
      help: 'Incidents that are not resolved.',
      labelNames: ['severity'],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [severity, count] of Object.entries(gauges.incidentsOpen() ?? {})) this.set({ severity }, count);
      },
    });
    for (const fate of ['new', 'dedup', 'silenced', 'inhibited']) this.#alerts.inc({ fate }, 0);
  }

  command(command: string, outcome: Outcome): void {
    this.#commands.inc({ command, outcome });
  }

  replied(seconds: number): void {
    this.#reply.observe(seconds);
  }

  alerts(fate: AlertFate, count: number): void {
    this.#received.inc(count);
    this.#alerts.inc({ fate }, count);
  }

  hookRefused(path: string): void {
    this.#refused.inc({ path });
  }

  /** `GET /metrics` */
  route(): Route {
    return {
      method: 'GET',
      answer: async () => ({ status: 200, body: await this.#registry.metrics(), type: this.#registry.contentType }),
    };
  }

  #counter<const L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number | undefined): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }
}
