import type { Block, Line, Reply, Span, Verdict } from '#domain/messages.ts';

// Bidi controls, zero-width and blank characters from outside would let a name pass for another one. Not the zero-width
// joiner inside an emoji.
const hidden =
  /(?<![\p{Extended_Pictographic}\p{Emoji_Modifier}]\ufe0f?)\u200d|[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\u{e0000}-\u{e0fff}]/gu;
// What moves a terminal's cursor or rings its bell; tab and the end of a line are none of them.
// oxlint-disable-next-line no-control-regex
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
/** More marks on one letter than any language has: they would cover the lines around. */
const stacked = /(\p{M}{4})\p{M}+/gu;

const show = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll('\r\n', '\n')
    // A text that was shown once (a message that is cut) is shown the same again.
    .replaceAll(/@\u2060(?=room\b)/gi, '@')
    .replaceAll(control, (char) => `[U+${char.codePointAt(0)!.toString(16).toUpperCase()}]`)
    .replaceAll(stacked, '$1')
    .replaceAll(hidden, (char) => `[U+${char.codePointAt(0)!.toString(16).toUpperCase()}]`)
    // Old clients ring for the bare word; a word joiner inside is invisible and rings nobody.
    .replaceAll(/@(room)\b/gi, '@\u2060$1');

export const escapeHtml = (text: string): string =>
  show(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Texts that meet are one text: what is harmless in each (half of `@room`, a few marks) need not be harmless together. */
function spansOf(line: Line): Span[] {
  const spans: Span[] = [];
  for (const span of Array.isArray(line) ? line : [line]) {
    const last = spans.at(-1);
    if (typeof span === 'string' && typeof last === 'string') spans[spans.length - 1] = last + span;
    else spans.push(span);
  }
  return spans;
}

function plain(span: Span): string {
  if (typeof span === 'string') return span;
  if ('code' in span) return span.code;
  if ('bold' in span) return span.bold;
  if ('user' in span) return span.user;
  return `${span.text} (${span.link})`;
}

function spanHtml(span: Span): string {
  if (typeof span === 'string') return escapeHtml(span);
  if ('code' in span) return `<code>${escapeHtml(span.code)}</code>`;
  if ('bold' in span) return `<b>${escapeHtml(span.bold)}</b>`;
  if ('user' in span)
    return `<a href="https://matrix.to/#/${encodeURIComponent(span.user)}">${escapeHtml(span.user)}</a>`;
  const href = /^(https?|mailto|matrix):/i.test(span.link) ? span.link.replaceAll(/\s/g, encodeURIComponent) : '';
  return `<a href="${escapeHtml(href)}">${escapeHtml(span.text)}</a>`;
}

const lineText = (line: Line): string => show(spansOf(line).map(plain).join(''));
const lineHtml = (line: Line): string => spansOf(line).map(spanHtml).join('').replaceAll('\n', '<br>');

function tableText(head: string[], rows: Line[][]): string {
  const cells = [head.map(show), ...rows.map((row) => row.map(lineText))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'text':
      return block.lines.map(lineText).join('\n');
    case 'list':
      return block.items.map((item, index) => `${block.ordered ? `${index + 1}.` : '-'} ${lineText(item)}`).join('\n');
    case 'table':
      return tableText(block.head, block.rows);
    case 'code':
      return show(block.text);
    case 'details':
      return `${show(block.summary)}:\n${block.blocks.map(blockText).join('\n')}`;
  }
}

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'text':
      return block.lines.map((line) => `<p>${lineHtml(line)}</p>`).join('');
    case 'list': {
      const tag = block.ordered ? 'ol' : 'ul';
      return `<${tag}>${block.items.map((item) => `<li>${lineHtml(item)}</li>`).join('')}</${tag}>`;
    }
    case 'table': {
      const head = block.head.map((cell) => `<th>${escapeHtml(cell)}</th>`).join('');
      const rows = block.rows
        .map((row) => `<tr>${row.map((cell) => `<td>${lineHtml(cell)}</td>`).join('')}</tr>`)
        .join('');
      return `<table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`;
    }
    case 'code':
      return `<pre><code>${escapeHtml(block.text)}</code></pre>`;
    case 'details':
      return `<details><summary>${escapeHtml(block.summary)}</summary>${block.blocks.map(blockHtml).join('')}</details>`;
  }
}

/** The verdict is the first thing on the first line: on a phone nothing else may be seen. */
const signs: Record<Verdict, string> = { ok: '🟢 ', warning: '🟠 ', critical: '🔴 ', unknown: '⚪ ', none: '' };

/** Both bodies of a message; they say the same. HTML keeps to a short list of tags that all clients show. */
export function render(reply: Reply): { body: string; html: string } {
  const title: Line = [signs[reply.verdict ?? 'none'], ...spansOf(reply.title)];
  const blocks: Block[] = [...(reply.blocks ?? [])];
  const offers = (reply.offers ?? []).map((offer): Line => [`${offer.text}: `, { code: offer.command }]);
  if (offers.length > 0) blocks.push({ kind: 'list', items: offers });
  const body = [lineText(title), ...blocks.map(blockText)].filter((part) => part !== '').join('\n\n');
  const html = `<p><b>${lineHtml(title)}</b></p>${blocks.map(blockHtml).join('')}`;
  return { body, html: blocks.length === 0 ? lineHtml(title) : html };
}
