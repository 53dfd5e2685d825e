/** One part of the bot itself; `note` says why it isn't ready, or what it did lately. */
export type PartState = { part: string; ready: boolean; note?: string | undefined };
