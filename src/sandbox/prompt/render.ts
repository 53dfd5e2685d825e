import { type Element, type Node, parseHtml, textOf } from './html.ts';
import { type Piece, type Row, type Style, clean, dim, plain, wrapRow } from './rows.ts';
import { type Cells, tableRows } from './table.ts';

const inlineStyles: Record<string, Style> = {
  b: { bold: true },
  strong: { bold: true },
  i: { italic: true },
  em: { italic: true },
  u: { underline: true },
  del: { strike: true },
  s: { strike: true },
  code: { colour: 36 },
};

/** Inline text gathers in `current`; a block ends the row at hand and adds its own rows. */
class Flow {
  readonly rows: Row[] = [];
  private current: Row = [];
  private readonly width: number | undefined;

  constructor(width: number | undefined) {
    this.width = width;
  }

  text(text: string, style: Style): void {
    const squeezed = text.replaceAll(/[ \n]+/g, ' ');
    const afterBlank = this.current.length === 0 || this.current.at(-1)?.text.endsWith(' ') === true;
    const kept = afterBlank ? squeezed.replace(/^ /, '') : squeezed;
    if (kept !== '') this.current.push({ text: kept, style });
  }

  piece(piece: Piece): void {
    this.current.push(piece);
  }

  endRow(evenIfEmpty = false): void {
    if (this.current.length > 0 || evenIfEmpty) this.rows.push(...wrapRow(this.current, this.width));
    this.current = [];
  }

  block(rows: readonly Row[], first: Piece, rest: Piece): void {
    this.endRow();
    rows.forEach((row, at) => this.rows.push([at === 0 ? first : rest, ...row]));
  }
}

const narrower = (width: number | undefined, by: number): number | undefined =>
  width === undefined ? undefined : Math.max(width - by, 10);

const isElement = (node: Node): node is Element => typeof node !== 'string';

/** Where a link goes, when its text doesn't say so: a pill shows a name, and a name proves nothing. */
function linkTarget(element: Element): string | undefined {
  const href = element.href ?? '';
  const shown = textOf(element.children).trim();
  const pill = /^https:\/\/matrix\.to\/#\/([^?]+)/.exec(href)?.[1];
  let target = href;
  try {
    if (pill !== undefined) target = decodeURIComponent(pill);
  } catch {
    // A malformed escape: the address as it stands is the honest answer.
  }
  return target === '' || shown === target || href === shown ? undefined : target;
}

function list(element: Element, style: Style, flow: Flow, width: number | undefined): void {
  let number = 0;
  for (const item of element.children.filter(isElement)) {
    if (item.tag !== 'li') continue;
    number += 1;
    const mark = element.tag === 'ol' ? `${number}. ` : '• ';
    const rows = blocks(item.children, style, narrower(width, mark.length));
    flow.block(rows.length === 0 ? [[]] : rows, plain(mark), plain(' '.repeat(mark.length)));
  }
}

function table(element: Element, style: Style, width: number | undefined): Row[] {
  const found: Cells[] = [];
  const visit = (nodes: readonly Node[]): void => {
    for (const node of nodes.filter(isElement)) {
      if (node.tag !== 'tr') {
        visit(node.children);
        continue;
      }
      const cells = node.children.filter(isElement).filter((cell) => cell.tag === 'td' || cell.tag === 'th');
      found.push({
        // A cell is one row: line breaks in it become blanks.
        cells: cells.map((cell) =>
          blocks(cell.children, style, undefined).flatMap((row, at) => (at === 0 ? row : [plain(' '), ...row])),
        ),
        head: cells.length > 0 && cells.every((cell) => cell.tag === 'th'),
      });
    }
  };
  visit(element.children);
  return tableRows(found, width);
}

function details(element: Element, style: Style, flow: Flow, width: number | undefined): void {
  const summary = element.children.filter(isElement).find((child) => child.tag === 'summary');
  flow.endRow();
  const head = blocks(summary?.children ?? ['Details'], { ...style, bold: true }, narrower(width, 2));
  flow.block(head, dim('▾ '), plain('  '));
  const inner = element.children.filter((child) => child !== summary);
  flow.block(blocks(inner, style, narrower(width, 2)), plain('  '), plain('  '));
}

function element(node: Element, style: Style, flow: Flow, width: number | undefined): void {
  const inline = inlineStyles[node.tag];
  if (inline !== undefined) return walk(node.children, { ...style, ...inline }, flow, width);
  switch (node.tag) {
    case 'br':
      return flow.endRow(true);
    case 'hr':
      return flow.block([[dim('─'.repeat(Math.min(width ?? 40, 40)))]], plain(''), plain(''));
    case 'a': {
      walk(node.children, { ...style, underline: true }, flow, width);
      const target = linkTarget(node);
      if (target !== undefined) flow.piece({ text: ` (${target})`, style: { ...style, dim: true } });
      return;
    }
    case 'pre': {
      const lines = textOf(node.children).replace(/^\n/, '').replace(/\n$/, '').split('\n');
      const code = lines.flatMap((line) =>
        wrapRow([{ text: line, style: { ...style, colour: 36 } }], narrower(width, 2)),
      );
      return flow.block(code, plain('  '), plain('  '));
    }
    case 'ul':
    case 'ol':
      flow.endRow();
      return list(node, style, flow, width);
    case 'table':
      return flow.block(table(node, style, width), plain(''), plain(''));
    case 'details':
      return details(node, style, flow, width);
    case 'blockquote':
      return flow.block(blocks(node.children, style, narrower(width, 2)), dim('▎ '), dim('▎ '));
    case 'h1':
    case 'h2':
    case 'h3':
    case 'h4':
    case 'h5':
    case 'h6':
      return flow.block(blocks(node.children, { ...style, bold: true }, width), plain(''), plain(''));
    case 'p':
    case 'div':
      flow.endRow();
      walk(node.children, style, flow, width);
      return flow.endRow();
    default:
      return walk(node.children, style, flow, width);
  }
}

function walk(nodes: readonly Node[], style: Style, flow: Flow, width: number | undefined): void {
  for (const node of nodes) {
    if (isElement(node)) element(node, style, flow, width);
    else flow.text(node, style);
  }
}

function blocks(nodes: readonly Node[], style: Style, width: number | undefined): Row[] {
  const flow = new Flow(width);
  walk(nodes, style, flow, width);
  flow.endRow();
  return flow.rows;
}

/** The formatted body of a message as rows of at most `width` columns (no limit when undefined). */
export const renderHtml = (html: string, width: number | undefined): Row[] => blocks(parseHtml(html), {}, width);

/** A body without formatting. */
export const renderText = (body: string, width: number | undefined): Row[] =>
  clean(body)
    .split('\n')
    .flatMap((line) => wrapRow([plain(line)], width));
