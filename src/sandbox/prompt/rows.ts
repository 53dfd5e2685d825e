/** How a piece of text looks. Absent means no. */
export type Style = {
  bold?: true;
  dim?: true;
  italic?: true;
  underline?: true;
  inverse?: true;
  strike?: true;
  /** SGR foreground, 31 to 36. */
  colour?: number;
};
export type Piece = { text: string; style: Style };
/** One line on the screen; the pieces hold no line break. */
export type Row = Piece[];

export const plain = (text: string): Piece => ({ text, style: {} });
export const dim = (text: string): Piece => ({ text, style: { dim: true } });

/**
 * Makes text from the room harmless: an escape sequence in a message must not reach the terminal, and bidirectional or
 * zero-width characters must not hide what it says. U+200D stays: it joins emoji.
 */
export function clean(text: string): string {
  return (
    text
      .replaceAll('\t', '    ')
      .replaceAll(/\r\n?/g, '\n')
      // oxlint-disable-next-line no-control-regex -- these are what is looked for
      .replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
      .replaceAll(/[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]/g, '')
  );
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;

function graphemeWidth(grapheme: string): number {
  if (/^[\x20-\x7e]$/.test(grapheme)) return 1;
  if (/^\p{Mark}/u.test(grapheme)) return 0;
  // U+FE0F asks for the picture of a character that is text by default.
  if (/\p{Emoji_Presentation}/u.test(grapheme) || grapheme.includes('\ufe0f') || wide.test(grapheme)) return 2;
  return 1;
}

/** Columns that the text takes in a terminal. */
export function displayWidth(text: string): number {
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += graphemeWidth(segment);
  return columns;
}

export const rowWidth = (row: Row): number => row.reduce((sum, piece) => sum + displayWidth(piece.text), 0);
export const rowText = (row: Row): string => row.map((piece) => piece.text).join('');

type Unit = { text: string; columns: number; style: Style; blank: boolean };

/** Words and the blanks between them; a word wider than a row is cut into pieces that fit. */
function units(row: Row, width: number): Unit[] {
  const found: Unit[] = [];
  for (const { text, style } of row) {
    for (const word of text.split(/(\s+)/u)) {
      if (word === '') continue;
      const blank = word.trim() === '';
      let part = '';
      let columns = 0;
      for (const { segment } of graphemes.segment(word)) {
        const more = graphemeWidth(segment);
        if (columns + more > width) {
          found.push({ text: part, columns, style, blank });
          part = '';
          columns = 0;
        }
        part += segment;
        columns += more;
      }
      found.push({ text: part, columns, style, blank });
    }
  }
  return found;
}

/** Breaks a row at blanks so that no part is wider than `width`. Without a width it stays whole. */
export function wrapRow(row: Row, width: number | undefined): Row[] {
  if (width === undefined || rowWidth(row) <= width) return [row];
  const rows: Row[] = [];
  let current: Row = [];
  let columns = 0;
  for (const unit of units(row, Math.max(width, 2))) {
    if (columns + unit.columns > width && columns > 0) {
      rows.push(current);
      current = [];
      columns = 0;
      if (unit.blank) continue;
    }
    current.push({ text: unit.text, style: unit.style });
    columns += unit.columns;
  }
  if (current.length > 0) rows.push(current);
  return rows;
}

const codes: Array<[keyof Style, number]> = [
  ['bold', 1],
  ['dim', 2],
  ['italic', 3],
  ['underline', 4],
  ['inverse', 7],
  ['strike', 9],
];

/** The row as characters, with ANSI sequences when the other end is a terminal. */
export function paint(row: Row, ansi: boolean): string {
  if (!ansi) return rowText(row).trimEnd();
  return row
    .map(({ text, style }) => {
      const on = codes.filter(([key]) => style[key] !== undefined).map(([, code]) => code);
      if (style.colour !== undefined) on.push(style.colour);
      return on.length === 0 ? text : `\u001b[${on.join(';')}m${text}\u001b[0m`;
    })
    .join('');
}
