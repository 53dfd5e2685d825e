import { everyMinute } from '#adapters/cron/bell.ts';
import { ProbeRoom } from '#adapters/matrix/probe-room.ts';
import { roundTrip } from '#adapters/matrix/round-trip.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Clock } from '#domain/clock.ts';
import { asOpsError, type OpsError } from '#domain/errors.ts';
import type { Signal } from '#domain/incidents.ts';
import type { Log } from '#domain/log.ts';
import type { OutboxRow } from '#domain/outbox.ts';
import type { RoomId } from '#domain/rooms.ts';
import { Scrubber } from '#domain/scrubber.ts';
import { Approvals } from '#engine/approvals.ts';
import { Catalogue } from '#engine/catalogue.ts';
import type { Command } from '#engine/command.ts';
import { Door } from '#engine/door.ts';
import { type House, isJoined, missingPort } from '#engine/house.ts';
import { Intake } from '#engine/intake.ts';
import type { SitePorts } from '#engine/ports.ts';
import { Refusals } from '#engine/refusals.ts';
import { DailyReports } from '#engine/reports.ts';
import { RunBook } from '#engine/run-book.ts';
import { Runner } from '#engine/runner.ts';
import { Switchboard } from '#engine/switchboard.ts';
import { Takings } from '#engine/takings.ts';
import { Warden } from '#engine/warden.ts';
import { SystemClock } from '#adapters/system/clock.ts';
import { openAuditor } from './audit.ts';
import { openCheckParts } from './check-parts.ts';
import { discover } from './discover.ts';
import { openShellDoor } from './exec-door.ts';
import { BotEncryption } from './bot-encryption.ts';
import { closedSession } from './exec-offline.ts';
import { openSession } from './matrix-session.ts';
import { type App, appOf, openLives } from './lives.ts';
import { openMemory } from './memory.ts';
import { openParts } from './parts.ts';
import { RoomNotices } from './room-notices.ts';
import { Single } from './single.ts';
import { countAnswer, openMetrics, openServe } from './serve.ts';
import { partsOff, type Settings } from './settings.ts';
import { aborted, calmly, ticking } from './ticking.ts';
import { version } from './version.ts';
import { openVoice } from './voice.ts';
import { loadChecks, loadJobs, openWatch } from './watch.ts';

const site = 'default';
// What was asked while the bot was away is answered before the checks ask the same homeserver a dozen things.
const firstLookMs = 1000;
const graceMs = 5000;

export type AppOverrides = Pick<House, 'crash'> & {
  scrubber?: Scrubber;
  clock?: Clock;
  log: Log;
  stop?: AbortSignal;
  /** Without Matrix, checks and schedule: for the shell alone. What is to be said waits in the outbox. */
  offline?: boolean;
};

const isCommand = (value: unknown): value is Command =>
  value !== null && typeof value === 'object' && 'kind' in value && (value.kind === 'query' || value.kind === 'change');
export const loadCommands = (): Promise<Map<string, Command>> =>
  discover(new URL('./commands/', import.meta.url), isCommand);

/** The bot; it begins anew by itself when it needs a new device. */
export const openApp = (settings: Settings, overrides: AppOverrides): Promise<App> =>
  openLives(settings, overrides.log, (latest, again) => assemble(latest, overrides, again));

/** Everything put together, from the memory up to the sync, which comes last; it stops in reverse. */
async function assemble(
  settings: Settings,
  overrides: AppOverrides,
  again: (settings?: Settings) => void,
): Promise<App> {
  const { log, crash, scrubber = new Scrubber(), offline = false } = overrides;
  const clock = overrides.clock ?? new SystemClock();
  await using stack = new AsyncDisposableStack();
  const memory = stack.use(openMemory({ settings, scrubber, clock, log }));
  const { storage } = memory;
  const { ledger } = storage;
  const [commands, checks, jobs, matrix, parts] = await Promise.all([
    loadCommands(),
    loadChecks(),
    loadJobs(),
    offline
      ? closedSession(settings.matrix, ledger)
      : openSession({ settings: settings.matrix, ledger, clock, log, stop: overrides.stop }),
    openParts(settings, clock, scrubber),
  ]);
  stack.use(parts);
  const { request } = matrix.connection;
  const stop = new AbortController();
  const bot: BotInfo = {
    user: matrix.bot,
    opsRoom: matrix.room,
    site,
    prefix: settings.prefix,
    timezone: settings.timezone,
    version: version(),
    startedAt: clock.now(),
    off: partsOff(settings),
  };
  const metrics = openMetrics({
    ledger,
    clock,
    version: bot.version,
    backups: parts.ports.backups,
    standstillSeconds: () => voice.alive.standstill.worstMs / 1000,
  });
  const probeRoom = new ProbeRoom({
    request,
    known: ledger.switch('probe-room') as RoomId | undefined,
    remember: (room) => {
      ledger.commit({ at: clock.now(), switches: [{ name: 'probe-room', value: room }] });
      voice.sync.refilter();
    },
  });
  const watch = openWatch({
    settings,
    storage,
    bot,
    clock,
    log,
    checks,
    jobs,
    ports: { ...openCheckParts(settings, clock, parts, roundTrip(probeRoom.hands(clock)), stack), safeMode: memory },
    signal: stop.signal,
    count: (fate, alerts) => metrics.alerts(fate, alerts),
  });

  const takings = new Takings(ledger, clock, site);
  const queues = {
    depth: () => {
      const { pending, oldestAt } = ledger.outboxDepth();
      const oldestOutboxMs = oldestAt === undefined ? undefined : Math.max(0, clock.now() - oldestAt);
      return { inbox: ledger.inboxDepth(), outbox: pending, oldestOutboxMs };
    },
  };
  const auditor = openAuditor({ storage, dataDir: settings.dataDir, bot, clock, log });
  const ports: SitePorts = {
    ...parts.ports,
    bot,
    clock,
    takings,
    queues,
    operators: storage.operators,
    readings: storage.readings,
    health: watch.health,
    incidents: watch.desk,
    switches: new Switchboard(ledger, clock),
    audit: auditor,
    safeMode: memory,
    encryption: new BotEncryption({ settings, envelopes: () => voice.envelopes, ledger, bot, log, again }),
    adminUser: parts.adminUser,
    // These three stand on the door, which stands on the ports.
    runs: undefined as never,
    catalogue: undefined as never,
    approvals: undefined as never,
  };
  storage.steady.goesOn((name) => commands.get(name)?.runsPaused === true);
  const catalogue = new Catalogue(commands, (command) => missingPort(command, ports));
  const { prefix, limits, roles } = settings;
  const encryptedOnly = settings.matrix.encryption === 'required';
  const doorSettings = { prefix, ...settings.approvals, limits, roles, encryptedOnly };
  const house: House = {
    ledger,
    catalogue,
    clock,
    log,
    build: bot.version,
    settings: doorSettings,
    ports: () => ports,
    refusals: new Refusals(),
    ...(crash && { crash }),
    heardUntil: () => voice.sync.heardUntil,
  };
  const runner = new Runner(house);
  const approvals = new Approvals(house, runner);
  const runs = new RunBook(house, runner);
  const { health, desk: incidents } = watch;
  const reports = new DailyReports({
    bot,
    clock,
    health,
    incidents,
    runs,
    readings: storage.readings,
    backups: parts.ports.backups,
  });
  Object.assign(ports, { runs, catalogue, approvals, reports });
  const intake = new Intake(house, {
    door: new Door(house, runner),
    approvals,
    alertReaction: ({ event, emoji, sender }) =>
      watch.alerter.reaction({ event, emoji, sender, joined: isJoined(house, site, sender) }),
  });
  const receive = (signals: Signal[]): void => void watch.alerter.receive(signals);
  const own = { settings, ledger, operators: storage.operators, matrix, bot, clock, log };
  const said = (row: OutboxRow): void => countAnswer(row, ledger, clock, metrics);
  const taken = (): void => intake.wake();
  const voice = await openVoice({ ...own, scrubber, offline, probeRoom, again, receive, taken, said }, stack);

  const ring = (): void => {
    if (watch.scheduler.onMinute(clock.now()) > 0) intake.wake();
  };
  const ticks = [() => memory.tick(), () => approvals.tick()];
  if (!offline) {
    const notices = new RoomNotices({ ...own, encryption: settings.matrix.encryption });
    // What was changed isn't signed anew.
    ticks.push(
      () => runner.tick(),
      () => (memory.closed() ? undefined : auditor.tick()),
      () => watch.alerter.tick(),
      () => voice.alive.tick(),
      () => notices.tick(),
    );
  }
  const single = await Single.open({ ...own, room: voice.room, offline });
  const loops = [intake.run(stop.signal), ticking(clock, stop.signal, log, ticks)];
  stack.defer(async () => {
    await runner.close(graceMs);
    stop.abort();
    await Promise.allSettled(loops);
    if (!memory.closed()) auditor.close();
  });
  stack.use(await openShellDoor({ settings, house, site, wake: () => intake.wake() }));
  const ended = Promise.withResolvers<OpsError>();
  if (offline) return appOf(bot, stack, ended.promise);
  loops.push(
    voice.sender.run(stop.signal),
    voice.alive.run(stop.signal),
    single.stay(stop, ended.resolve),
    clock.sleep(firstLookMs, stop.signal).then(
      () => watch.prober.run(stop.signal),
      () => {},
    ),
  );
  if (parts.ports.calls) loops.push(new Warden({ calls: parts.ports.calls, takings, clock, log }).run(stop.signal));
  await parts.ports.backups
    ?.tidy()
    .catch((error: unknown) => log.warn({ why: asOpsError(error).message }, 'left-over backups cannot be tidied'));
  // What is damaged is not gone on with.
  if (!memory.closed()) runner.recover();
  const partStates = () => voice.alive.states();
  const stored = (signals: Signal[]): void => storage.steady.durably(() => receive(signals));
  const server = await openServe({ settings, site, clock, log, scrubber, metrics, parts: partStates, receive: stored });
  if (server) stack.use(server);
  stack.use(everyMinute(() => calmly(ring, log)));
  ring();
  loops.push(voice.sync.run(stop.signal));
  const stopped = aborted(overrides.stop);
  stopped.catch(() => {});
  await Promise.race([voice.sync.listening, stopped]);
  log.info(
    { user: bot.user, room: bot.opsRoom, commands: commands.size, off: bot.off.map((o) => o.part) },
    'the bot is ready',
  );
  return appOf(bot, stack, ended.promise);
}
