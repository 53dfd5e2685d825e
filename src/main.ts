import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import yargs from 'yargs-parser';
import { asOpsError, OpsError } from '#domain/errors.ts';
import { Scrubber } from '#domain/scrubber.ts';

const usage = `Opsroom runs a Matrix homeserver from a Matrix room.

  npm start                                    the sandbox: real parts on this machine, and a chat prompt
  npm start -- --fresh                         the same, forgetting what was there
  npm start -- --script FILE                   plays the lines of FILE in the sandbox; exit code 0 when all went as it says
  npm start -- --settings opsroom.yaml         the bot (also OPSROOM_SETTINGS)
  npm start -- init [--help]                   makes accounts, room and opsroom.yaml from a running Synapse
  npm start -- doctor --settings opsroom.yaml  reaches every part and says what is wrong
  npm start -- mend --settings opsroom.yaml    gives a bot that is locked out its room back
  npm start -- exec --settings opsroom.yaml '!status'   one command from this shell, for when Matrix is down
  npm start -- approve --settings opsroom.yaml CODE     the second person's yes, from this shell
  npm start -- audit verify FILE [--key FILE]  verifies what !audit export wrote, without the bot

  --log-level LEVEL   trace, debug, info, warn, error    --log-format json|pretty    --version
`;

const exitCodes = { fine: 0, failed: 1, wrong: 2, held: 75 };
const lastResortMs = 20_000;

type Flags = {
  settings: string | undefined;
  script: string | undefined;
  fresh: boolean;
  logLevel: string;
  logFormat: 'json' | 'pretty';
  rest: string[];
};

/** What was typed after `npm start --`. Throws `invalid` for what it doesn't know. */
function readFlags(argv: string[]): Flags & { command: string | undefined; help: boolean; version: boolean } {
  const parsed = yargs(argv, {
    string: ['settings', 'script', 'log-level', 'log-format'],
    boolean: ['fresh', 'help', 'version'],
    configuration: { 'camel-case-expansion': false, 'unknown-options-as-args': true, 'halt-at-non-option': true },
  });
  const [command, ...rest] = parsed._.map(String);
  if (command !== undefined && !['init', 'doctor', 'mend', 'exec', 'approve', 'audit'].includes(command)) {
    throw new OpsError('invalid', `I don't know "${command}".`, { hint: usage });
  }
  const text = (name: string): string | undefined => {
    const value: unknown = parsed[name];
    if (value === '') throw new OpsError('invalid', `--${name} needs a value.`, { hint: usage });
    return typeof value === 'string' ? value : undefined;
  };
  const format = text('log-format') ?? 'json';
  if (format !== 'json' && format !== 'pretty') throw new OpsError('invalid', `--log-format is json or pretty.`);
  const level = text('log-level') ?? (command === 'exec' || command === 'approve' ? 'error' : 'info');
  if (!['trace', 'debug', 'info', 'warn', 'error', 'fatal'].includes(level)) {
    throw new OpsError('invalid', `"${level}" is no log level.`, { hint: 'trace, debug, info, warn or error' });
  }
  return {
    settings: text('settings'),
    script: text('script'),
    fresh: parsed['fresh'] === true,
    help: parsed['help'] === true && command === undefined,
    version: parsed['version'] === true,
    logLevel: level,
    logFormat: format,
    command,
    rest,
  };
}

/** Runs what was asked for; gives the exit code. Errors are told on stderr, without a stack. */
async function run(argv: string[]): Promise<number> {
  const stop = stopSignal();
  const scrubber = new Scrubber();
  // Node would print the error as it is, with whatever secret it quotes.
  process.on('uncaughtException', (error) => process.exit(tell(error, scrubber)));
  // Whoever read the answer has seen enough: `doctor | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.failed : tell(error, scrubber));
  });
  try {
    const flags = readFlags(argv);
    if (flags.help) {
      process.stdout.write(usage);
      return exitCodes.fine;
    }
    if (flags.version) {
      const { version } = await import('./version.ts');
      process.stdout.write(`Opsroom ${version()}\n`);
      return exitCodes.fine;
    }
    if (flags.command === 'init') {
      const { init } = await import('./init.ts');
      return await init(flags.rest, { output: process.stdout, input: process.stdin, stop });
    }
    if (flags.command === 'audit') {
      const { verifyAuditFile } = await import('./audit-file.ts');
      return verifyAuditFile(flags.rest, process.stdout);
    }
    if (flags.command === 'doctor') {
      const { doctor } = await import('./doctor.ts');
      const given = [...(flags.settings ? ['--settings', flags.settings] : []), ...flags.rest];
      return await doctor(given, process.stdout, { scrubber });
    }
    if (flags.command === 'mend') {
      const { mend } = await import('./mend.ts');
      const given = [...(flags.settings === undefined ? [] : ['--settings', flags.settings]), ...flags.rest];
      return await mend(given, { output: process.stdout, input: process.stdin, stop, scrubber });
    }
    if (flags.command === 'exec' || flags.command === 'approve') {
      return await runExec(flags.command, flags, stop, scrubber);
    }
    if (flags.settings !== undefined && (flags.fresh || flags.script !== undefined)) {
      throw new OpsError('invalid', '--fresh and --script are for the sandbox, which takes no --settings.', {
        hint: usage,
      });
    }
    const { settingsFile } = await import('./settings.ts');
    const file = settingsFile(flags.settings);
    if (file === undefined) return await runSandbox(flags, stop, scrubber);
    return await runBot(file, flags, stop, scrubber);
  } catch (error) {
    if (stop.aborted) return exitCodes.fine;
    return tell(error, scrubber);
  }
}

/** SIGINT and SIGTERM; a second one, or one that leads nowhere in time, ends the process. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(exitCodes.failed);
      stop.abort();
      setTimeout(() => process.exit(exitCodes.failed), lastResortMs).unref();
    });
  }
  return stop.signal;
}

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

async function runBot(file: string, flags: Flags, stop: AbortSignal, scrubber: Scrubber): Promise<number> {
  const [
    { loadSettings, serviceVariables },
    { openApp },
    { openLog },
    { keepSmall, V8Heap },
    { SystemClock },
    { Systemd },
  ] = await Promise.all([
    import('./settings.ts'),
    import('./app.ts'),
    import('#adapters/system/log.ts'),
    import('#adapters/system/heap.ts'),
    import('#adapters/system/clock.ts'),
    import('#adapters/system/systemd.ts'),
  ]);
  const settings = loadSettings({ file, scrubber });
  const log = openLog({ level: flags.logLevel, format: flags.logFormat, scrubber });
  using systemd = new Systemd(serviceVariables(), log);
  await using app = await openApp(settings, { log, stop, scrubber });
  void systemd.ready();
  void keepSmall(new V8Heap(), new SystemClock(), stop);
  const end = await Promise.race([stopped(stop), app.ended]);
  log.info({ bot: app.bot.user }, 'stopping');
  void systemd.stopping();
  if (end !== undefined) throw end;
  return exitCodes.fine;
}

async function runExec(how: 'exec' | 'approve', flags: Flags, stop: AbortSignal, scrubber: Scrubber): Promise<number> {
  const [{ exec }, { openLog }] = await Promise.all([import('./exec.ts'), import('#adapters/system/log.ts')]);
  const log = openLog({ level: flags.logLevel, format: flags.logFormat, scrubber });
  const given = [...(flags.settings === undefined ? [] : ['--settings', flags.settings]), ...flags.rest];
  return exec(how, given, { input: process.stdin, output: process.stdout, log, stop, scrubber });
}

async function runSandbox(flags: Flags, stop: AbortSignal, scrubber: Scrubber): Promise<number> {
  const { openSandbox } = await import('./sandbox/open.ts');
  await using sandbox = await openSandbox({ fresh: flags.fresh, script: flags.script, stop });
  const [{ loadSettings }, { openApp }, { openLog }] = await Promise.all([
    import('./settings.ts'),
    import('./app.ts'),
    import('#adapters/system/log.ts'),
  ]);
  const log = openLog({ level: flags.logLevel, format: flags.logFormat, write: sandbox.botLog, scrubber });
  await using app = await openApp(loadSettings({ file: sandbox.settingsFile, scrubber }), { log, stop, scrubber });
  return await sandbox.prompt(app.bot);
}

function tell(error: unknown, scrubber: Scrubber): number {
  const ops = asOpsError(error);
  const cause = ops.kind === 'internal' && ops.cause instanceof Error ? ` ${ops.cause.stack ?? ops.cause.message}` : '';
  process.stderr.write(scrubber.text(`${ops.message}${cause}\n${ops.hint === undefined ? '' : `${ops.hint}\n`}`));
  if (ops.kind === 'held') return exitCodes.held;
  return ops.kind === 'invalid' || ops.kind === 'misconfigured' ? exitCodes.wrong : exitCodes.failed;
}

// Stripping the types of some hundred files is most of the start; a second start reads what the first one stripped.
// NODE_COMPILE_CACHE, which `npm start` sets, comes first and spares the stripper (16 MB) for this file too. Never in
// the shared /tmp, where another user could put code.
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/opsroom'));
// All is closed by now but the SDK's last long poll, which can't be cut and would hold the process for half a minute.
process.exit(await run(process.argv.slice(2)));
