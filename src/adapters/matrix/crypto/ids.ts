import { UserId } from '@matrix-org/matrix-sdk-crypto-wasm';

/** As the library wants them. It frees what it is given, so they are made anew for each call. */
export const idsOf = (names: readonly string[]): UserId[] =>
  names.flatMap((name) => {
    try {
      return [new UserId(name)];
    } catch {
      // An id that the library doesn't take, so nobody it could encrypt for: one such member must not silence the bot.
      return [];
    }
  });
