import { crc32, deflateSync } from 'node:zlib';

export type SeedFile = { name: string; type: string; bytes: Uint8Array; message: Record<string, unknown> };

const width = 320;
const height = 180;

/** A picture or a text file to upload, with the message that shows it. */
export function seedFile(name: string, kind: 'picture' | 'text'): SeedFile {
  if (kind === 'picture') {
    const bytes = png();
    const info = { mimetype: 'image/png', w: width, h: height, size: bytes.length };
    return { name, type: 'image/png', bytes, message: { msgtype: 'm.image', body: name, info } };
  }
  const bytes = Buffer.from(Array.from({ length: 40 }, (_, index) => `${index + 1}. ${name}\n`).join(''));
  const info = { mimetype: 'text/plain', size: bytes.length };
  return { name, type: 'text/plain', bytes, message: { msgtype: 'm.file', body: name, info } };
}

/** A sunset: a gradient in 8-bit RGB. */
function png(): Uint8Array {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * (1 + width * 3) + 1 + x * 3;
      rows[at] = 255 - Math.round(y / 2);
      rows[at + 1] = 90 + Math.round((x / width) * 90);
      rows[at + 2] = Math.round((y / height) * 160);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}
