import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const unpack = promisify(gunzip);
/** Deeper than anything means well; a parser given millions of levels eats all memory. */
const deepestText = 10_000;

/** What cannot be read at all. The message says why and never repeats what stood there. */
export class Unreadable extends Error {}
/** What would be too large once unpacked. */
export class TooLarge extends Error {}

/** The body as JSON: gzip is unpacked up to `mostBytes`, UTF-16 and byte order marks are understood. */
export async function readJson(body: Buffer, mostBytes: number): Promise<unknown> {
  const text = textOf(await unpacked(body, mostBytes));
  if (isDeeper(text, deepestText)) throw new Unreadable(`it is nested more than ${deepestText} levels deep`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Unreadable('it is not JSON');
  }
}

/** By its first bytes: a sender that packs does not always say so. */
async function unpacked(body: Buffer, mostBytes: number): Promise<Buffer> {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return body;
  try {
    return await unpack(body, { maxOutputLength: mostBytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw new TooLarge();
    throw new Unreadable('its gzip is broken');
  }
}

/** JSON begins with an ASCII sign, so a zero beside it tells UTF-16 also where no mark does. */
function textOf(body: Buffer): string {
  const [first, second] = body;
  if ((first === 0xff && second === 0xfe) || (second === 0 && first !== 0)) return decoded('utf-16le', body);
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return decoded('utf-16be', body);
  return decoded('utf-8', body);
}

/** Without the mark; what is no text becomes U+FFFD. */
const decoded = (encoding: string, body: Buffer): string => new TextDecoder(encoding).decode(body);

function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at += 1;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > most) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}
