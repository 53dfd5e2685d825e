import { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import { parseDuration } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { roles } from '#domain/operators.ts';
import type { RoomId } from '#domain/rooms.ts';
import { parseRunName } from '#domain/runs.ts';

/** How the parser reads an argument: what is resolved before the schema sees it, what takes the rest of the line. */
export type ArgKind = 'word' | 'user' | 'room' | 'rest' | 'words' | 'flag' | 'duration' | 'role' | 'number' | 'run';
export type ArgMeta = { kind: ArgKind; label: string };

export const argMeta = z.registry<ArgMeta>();

const checked =
  <T>(parse: (text: string) => T) =>
  (text: string, context: z.RefinementCtx): T => {
    try {
      return parse(text);
    } catch (error) {
      const message = error instanceof OpsError ? `${error.message} ${error.hint ?? ''}`.trim() : String(error);
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  };

/** Any user; text is resolved to a full MXID by the parser (bare localpart, pill, link, application id). */
export const User = z
  .string()
  .transform((text) => text as UserId)
  .register(argMeta, { kind: 'user', label: '@user' });
/** A room; an alias stays an alias until `prepare` asks for it. */
export const RoomRef = z
  .string()
  .transform((text) => text as RoomId | `#${string}`)
  .register(argMeta, { kind: 'room', label: '#room' });
/** The rest of the line, verbatim, no quotes needed. */
export const RestOfLine = z.string().min(1).max(2000).register(argMeta, { kind: 'rest', label: 'text' });
/** The remaining words, as one string with single spaces. */
export const Words = z.string().max(200).register(argMeta, { kind: 'words', label: 'words' });
export const Word = z.string().min(1).max(255).register(argMeta, { kind: 'word', label: 'word' });
export const Flag = z.boolean().default(false).register(argMeta, { kind: 'flag', label: '' });
/** Digits only: `1e3`, `0x10` and `1.0` are refused. */
export const Count = z
  .union([z.number(), z.string().regex(/^\d{1,9}$/)])
  .transform(Number)
  .pipe(z.number().int().min(1).max(10_000))
  .register(argMeta, { kind: 'number', label: 'number' });
/** `2h` -> milliseconds. */
export const Duration = z
  .string()
  .transform(checked(parseDuration))
  .register(argMeta, { kind: 'duration', label: 'duration' });
/** `r1042` -> 1042. */
export const RunId = z.string().transform(checked(parseRunName)).register(argMeta, { kind: 'run', label: 'r1042' });
export const RoleName = z.enum(roles).register(argMeta, { kind: 'role', label: roles.join('|') });

export const none = z.strictObject({});
export { z };
