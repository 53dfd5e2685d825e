/** One word of what was typed, with where it stood. `open`: it begins with a quote that doesn't end. */
export type Word = { text: string; start: number; end: number; quoted: boolean; open: boolean };

// Invisible characters that phones and copy-paste leave behind; bidi controls included.
const invisible = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** What phones do to a word: curly quotes, dashes for `--`, invisible characters. */
export const normaliseWord = (word: string): string =>
  word
    .normalize('NFC')
    .replaceAll(invisible, '')
    .replaceAll(/[“”„«»]/g, '"')
    .replaceAll(/[‘’‚]/g, "'")
    .replace(/^[–—―](?=[a-z])/i, '--');

/** Splits at white space (any, also non-breaking); quotes hold words together. Never throws. */
export function splitWords(text: string): Word[] {
  const words: Word[] = [];
  const pattern = /["“„]([^"“”„]*)["”“]|[^\s]+/gu;
  for (const match of text.matchAll(pattern)) {
    const quoted = match[1] !== undefined;
    const word = normaliseWord(match[1] ?? match[0]);
    const open = !quoted && word.startsWith('"');
    const end = match.index + match[0].length;
    if (word !== '' || quoted) words.push({ text: word, start: match.index, end, quoted, open });
  }
  return words;
}

/** Edit distance with transpositions (optimal string alignment), for "did you mean". */
export function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i, ...Array<number>(b.length).fill(0)]);
  for (let j = 1; j <= b.length; j += 1) rows[0]![j] = j;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, rows[i]![j - 1]! + 1, rows[i - 1]![j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      rows[i]![j] = best;
    }
  }
  return rows[a.length]![b.length]!;
}
