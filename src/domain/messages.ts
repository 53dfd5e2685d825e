import type { UserId } from './accounts.ts';

/** A piece of text: plain (escaped on the way out), code, bold or a link. */
export type Span =
  | string
  | { code: string }
  | { bold: string }
  | { link: string; text: string }
  /** Shown as a pill; mentions nobody by itself (see `Reply.mentions`). */
  | { user: UserId };
export type Line = Span | Span[];

export type Block =
  | { kind: 'text'; lines: Line[] }
  | { kind: 'list'; items: Line[]; ordered?: boolean }
  | { kind: 'table'; head: string[]; rows: Line[][] }
  | { kind: 'code'; text: string }
  | { kind: 'details'; summary: string; blocks: Block[] };

export type Verdict = 'ok' | 'warning' | 'critical' | 'unknown' | 'none';

/** What a command answers, free of any chat system. `offers` are ready commands, without the prefix. */
export type Reply = {
  /** First line, short. */
  title: Line;
  verdict?: Verdict;
  blocks?: Block[];
  offers?: Array<{ text: string; command: string }>;
  files?: Array<{ name: string; mime: string; content: string }>;
};

/** Marks the events for programs (surface.md, "In the room"). */
export type Mark = {
  kind: 'reply' | 'prompt' | 'page' | 'report' | 'notice';
  command?: string;
  run?: string;
  incident?: string;
  outcome?: 'done' | 'refused' | 'failed' | 'partial' | 'waiting';
  code?: string;
};

/** What the outbox carries; the Matrix adapter turns it into events. JSON only. */
export type Outgoing =
  | {
      kind: 'message';
      /** A page rings (m.text); all else is a notice. */
      rings: boolean;
      reply: Reply;
      mentions: UserId[];
      mark: Mark;
    }
  /** Emoji on an event, or on what another outbox row became. */
  | { kind: 'reaction'; emoji: string; on: { event: string } | { outbox: number } }
  /** Takes back what another outbox row became. */
  | { kind: 'redaction'; of: { event: string } | { outbox: number } };
