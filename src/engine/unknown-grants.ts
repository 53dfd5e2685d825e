import type { House } from './house.ts';

/** Grants that give nothing, since no command has that name. Said at the start, with what may have been meant. */
export function warnOfGrants({ catalogue, log, settings }: House): void {
  for (const [role, rule] of Object.entries(settings.roles)) {
    for (const { command } of rule?.grants ?? []) {
      if (catalogue.command(command) !== undefined) continue;
      const near = catalogue.near(command);
      log.warn(
        { role, command, ...(near.length > 0 ? { near } : {}) },
        'a grant names no command, so it gives nothing',
      );
    }
  }
}
