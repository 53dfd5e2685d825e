import { z } from 'zod';

// What goes through the door, one JSON value a line. The door speaks first.

export const hello = z.object({ v: z.literal(1), challenge: z.string() });

export const call = z.object({
  text: z.string().min(1).max(20_000),
  breakGlass: z.string().min(1).max(1000).optional(),
  /** For whom root, or the bot's own user, does it: whom sudo knows. */
  behalf: z.number().int().min(0).optional(),
});

export const answer = z.object({ code: z.string(), yes: z.boolean() });

export const told = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('said'), text: z.string() }),
  z.object({ kind: z.literal('question'), code: z.string() }),
  z.object({ kind: z.literal('waiting'), code: z.string(), role: z.string(), expiresAt: z.number() }),
  z.object({ kind: z.literal('end'), well: z.boolean(), text: z.string().optional() }),
]);

export type Call = z.infer<typeof call>;
export type Told = z.infer<typeof told>;
