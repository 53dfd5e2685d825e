/** A megolm message begins with its version, a tag, and its index as a varint. */
export function indexOf(ciphertext: string): number {
  const bytes = Buffer.from(ciphertext.slice(0, 16), 'base64');
  let index = 0;
  for (let at = 2; at < Math.min(bytes.length, 7); at += 1) {
    const byte = bytes[at]!;
    index += (byte & 0x7f) * 2 ** (7 * (at - 2));
    if ((byte & 0x80) === 0) return index;
  }
  return -1;
}
