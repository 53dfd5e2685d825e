/** A Markdown table with its columns aligned. */
export function table(head: string[], rows: string[][]): string[] {
  const all = [head, ...rows].map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) => Math.max(3, ...all.map((cells) => [...(cells[column] ?? '')].length)));
  const line = (cells: string[], fill = ' ') =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0, fill)).join(' | ')} |`;
  return [
    line(all[0] ?? []),
    line(
      head.map(() => ''),
      '-',
    ),
    ...all.slice(1).map((cells) => line(cells)),
  ];
}
