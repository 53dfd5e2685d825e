import type { BotInfo } from '#domain/bot.ts';
import type { OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import { withNewLogin } from './new-login.ts';
import type { Settings } from './settings.ts';

export interface App extends AsyncDisposable {
  readonly bot: BotInfo;
  /** Resolves when another copy of the bot took over: this one does nothing any more, and has to end. */
  readonly ended: Promise<OpsError>;
}

/** What a stack holds is the app's from now on. */
export function appOf(bot: BotInfo, stack: AsyncDisposableStack, ended: Promise<OpsError>): App {
  const disposal = stack.move();
  return { bot, ended, [Symbol.asyncDispose]: () => disposal.disposeAsync() };
}

/** Puts an app together; `again` lets it begin anew, with other settings when they are given. */
export type Assemble = (settings: Settings, again: (settings?: Settings) => void) => Promise<App>;

/**
 * An app that may begin anew in the same process: as a new device, when the keys of the old one are lost or are to be
 * thrown away. What was to be said waits in the outbox meanwhile.
 */
export async function openLives(settings: Settings, log: Log, assemble: Assemble): Promise<App> {
  let latest = settings;
  let closing = false;
  let turning: Promise<void> | undefined;
  const ended = Promise.withResolvers<OpsError>();
  const open = async (): Promise<App> => {
    const app = await assemble(latest, again).catch(async (error: unknown) => {
      latest = await withNewLogin(latest, error, log);
      return assemble(latest, again);
    });
    void app.ended.then(ended.resolve);
    return app;
  };
  const again = (changed = latest): void => {
    latest = changed;
    turning ??= turn().finally(() => {
      turning = undefined;
    });
  };
  let current: App;
  const turn = async (): Promise<void> => {
    await current[Symbol.asyncDispose]();
    // Out of here a failure is nobody's to catch: the process ends with it, and is started again.
    if (!closing) current = await open();
  };
  current = await open();
  return {
    ended: ended.promise,
    get bot() {
      return current.bot;
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      await turning;
      await current[Symbol.asyncDispose]();
    },
  };
}
