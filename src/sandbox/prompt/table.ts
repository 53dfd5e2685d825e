import { type Row, plain, rowWidth, wrapRow } from './rows.ts';

export type Cells = { cells: Row[]; head: boolean };

const gap = '  ';
/** Narrower than this a column isn't made, even if the table then is wider than the screen. */
const leastColumns = 6;

function columnWidths(table: readonly Cells[], width: number | undefined): number[] {
  const widths: number[] = [];
  for (const { cells } of table) {
    cells.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 1, rowWidth(cell));
    });
  }
  const total = (): number => widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1);
  while (width !== undefined && total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    const columns = widths[widest] ?? 0;
    if (columns <= leastColumns) break;
    widths[widest] = columns - 1;
  }
  return widths;
}

/** Aligned columns, the head bold with a rule below; what doesn't fit is wrapped within its column. */
export function tableRows(table: readonly Cells[], width: number | undefined): Row[] {
  const widths = columnWidths(table, width);
  const rows: Row[] = [];
  for (const { cells, head } of table) {
    const columns = widths.map((columnWidth, at) => wrapRow(cells[at] ?? [], columnWidth));
    const height = Math.max(1, ...columns.map((column) => column.length));
    for (let line = 0; line < height; line += 1) {
      const row: Row = [];
      columns.forEach((column, at) => {
        const cell = (column[line] ?? []).map((piece) =>
          head ? { text: piece.text, style: { ...piece.style, bold: true as const } } : piece,
        );
        const last = at === columns.length - 1;
        row.push(...cell);
        if (!last) row.push(plain(' '.repeat(Math.max(0, (widths[at] ?? 0) - rowWidth(cell))) + gap));
      });
      rows.push(row);
    }
    if (head) rows.push([{ text: widths.map((columns) => '─'.repeat(columns)).join(gap), style: { dim: true } }]);
  }
  return rows;
}
