import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#domain/log.ts';
import { layersOf } from '#domain/rota.ts';
import { Alerter } from '#engine/alerter.ts';
import type { Check, NamedCheck } from '#engine/check.ts';
import type { SiteCheckPorts } from '#engine/check-ports.ts';
import { applyRules } from '#engine/check-rules.ts';
import { CheckHealth } from '#engine/health.ts';
import { Desk } from '#engine/incident-desk.ts';
import { type Job, timedJobs } from '#engine/job.ts';
import { OnCall } from '#engine/on-call.ts';
import { Prober } from '#engine/prober.ts';
import { Scheduler } from '#engine/scheduler.ts';
import type { Storage } from '#storage/open.ts';
import { discover } from './discover.ts';
import type { Settings } from './settings.ts';

export const isCheck = (value: unknown): value is Check =>
  value !== null && typeof value === 'object' && 'rules' in value;
const isJob = (value: unknown): value is Job =>
  value !== null && typeof value === 'object' && 'command' in value && 'when' in value;
export const loadChecks = (): Promise<Map<string, Check>> => discover(new URL('./checks/', import.meta.url), isCheck);
export const loadJobs = (): Promise<Map<string, Job>> => discover(new URL('./jobs/', import.meta.url), isJob);

export type WatchOptions = {
  settings: Settings;
  storage: Storage;
  bot: BotInfo;
  clock: Clock;
  log: Log;
  checks: ReadonlyMap<string, Check>;
  jobs: ReadonlyMap<string, Job>;
  ports: SiteCheckPorts;
  signal: AbortSignal;
  count: (fate: 'new' | 'dedup' | 'silenced' | 'inhibited', alerts: number) => void;
};

export type Watch = { alerter: Alerter; desk: Desk; prober: Prober; health: CheckHealth; scheduler: Scheduler };

/** What looks at the house by itself: checks, incidents, on-call, schedules. */
export function openWatch(options: WatchOptions): Watch {
  const { settings, storage, bot, clock, log, ports } = options;
  const { escalation, repeatMs, ackTimeoutMs, layers } = settings.onCall;
  const onCall = new OnCall({
    layers: layersOf(layers, settings.timezone),
    escalation: { steps: escalation, repeatMs },
    operators: storage.operators,
  });
  const alerter = new Alerter({
    ledger: storage.ledger,
    clock,
    operators: storage.operators,
    onCall,
    room: bot.opsRoom,
    site: bot.site,
    timezone: settings.timezone,
    prefix: settings.prefix,
    ackTimeoutMs,
    count: options.count,
  });
  const named: NamedCheck[] = [...options.checks].map(([name, check]) => ({ ...check, name }));
  const checks = applyRules(named, settings.alerts.rules);
  const fault = (what: string, error: unknown): void => log.error({ error }, what);
  const prober = new Prober({
    site: bot.site,
    checks,
    ports,
    readings: storage.readings,
    clock,
    tell: (signals) => void alerter.receive(signals),
    fault,
  });
  const health = new CheckHealth({
    site: bot.site,
    checks,
    ports,
    prober,
    readings: storage.readings,
    clock,
    signal: options.signal,
  });
  const times = { 'reports.daily': settings.reports.daily, 'backups.schedule': settings.backups?.schedule };
  const scheduler = new Scheduler({
    site: bot.site,
    room: bot.opsRoom,
    timezone: settings.timezone,
    sender: bot.user,
    jobs: timedJobs(options.jobs, times),
    ledger: storage.ledger,
  });
  return { alerter, desk: new Desk(alerter), prober, health, scheduler };
}
