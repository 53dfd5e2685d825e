import { clean } from './rows.ts';

export type Element = { tag: string; href: string | undefined; children: Node[] };
export type Node = string | Element;

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: '\u00a0' };
const noContent = new Set(['br', 'hr', 'img']);
/** An open one ends when the next of its kind begins: clients leave out `</li>` and `</p>`. */
const selfClosing: Record<string, readonly string[]> = {
  li: ['li'],
  p: ['p'],
  td: ['td', 'th'],
  th: ['td', 'th'],
  tr: ['tr', 'td', 'th'],
};

export function decodeEntities(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]+));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
    const point = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  });
}

/**
 * The HTML of a message as a tree. Tolerant: a tag that isn't known stays as a transparent element, one that is never
 * closed ends with its parent. The quoted fallback of a rich reply (`mx-reply`) is left out.
 */
export function parseHtml(html: string): Node[] {
  const root: Element = { tag: '', href: undefined, children: [] };
  const open: Element[] = [root];
  const top = (): Element => open.at(-1) ?? root;
  const close = (tags: readonly string[]): void => {
    const at = open.findLastIndex((element) => tags.includes(element.tag));
    if (at > 0) open.length = at;
  };
  const token = /<!--[\s\S]*?-->|<(\/?)([a-z][a-z0-9-]*)((?:"[^"]*"|'[^']*'|[^'">])*)>|([^<]+|<)/gi;
  for (const [, slash, name, attributes, text] of html.matchAll(token)) {
    if (text !== undefined) {
      top().children.push(clean(decodeEntities(text)));
      continue;
    }
    if (name === undefined) continue;
    const tag = name.toLowerCase();
    if (slash === '/') {
      close([tag]);
      continue;
    }
    const siblings = selfClosing[tag];
    if (siblings?.includes(top().tag) === true) close(siblings);
    const href = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(attributes ?? '');
    const element: Element = {
      tag,
      href: href === null ? undefined : clean(decodeEntities(href[1] ?? href[2] ?? href[3] ?? '')),
      children: [],
    };
    if (tag !== 'mx-reply') top().children.push(element);
    if (!noContent.has(tag)) open.push(element);
  }
  return root.children;
}

/** All text below, as it is. */
export const textOf = (nodes: readonly Node[]): string =>
  nodes.map((node) => (typeof node === 'string' ? node : textOf(node.children))).join('');
