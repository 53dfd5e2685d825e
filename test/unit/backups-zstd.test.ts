import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';

// What the backups lean on, and must not lean on, in this Node's zstd (reliability-goals, finding 4). When one of these
// fails after an upgrade of Node, read adapters/postgres/dump.ts and manifest-file.ts again before changing it.

const random = (n: number): string => createHash('sha256').update(String(n)).digest('base64');

function eventPieces(totalBytes: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let n = 0, made = 0; made < totalBytes;) {
    let text = '';
    while (text.length < 65_536)
      text += `{"auth_events":["$${random(n % 40)}"],"depth":${n},"hashes":{"sha256":"${random(n++)}"}}\n`;
    made += text.length;
    pieces.push(Buffer.from(text));
  }
  return pieces;
}

async function unpack(packed: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await pipeline(Readable.from([packed]), createZstdDecompress(), async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

const checked = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };
const plain = Buffer.from('a row\n'.repeat(100_000));

describe("this Node's zstd", () => {
  test('breaks when it is given workers: so one thread', async () => {
    const pieces = eventPieces(20_000_000);
    const tries = await Promise.allSettled(
      [1, 2, 3].map(() =>
        pipeline(
          Readable.from(pieces),
          createZstdCompress({ params: { [constants.ZSTD_c_nbWorkers]: 1 } }),
          async (source) => {
            for await (const _ of source);
          },
        ),
      ),
    );
    expect(tries.map((one) => one.status)).toContain('rejected');
  });

  test('says nothing of what follows the frame: so length and SHA-256 are checked', async () => {
    const trailed = Buffer.concat([zstdCompressSync(plain, checked), Buffer.from('not zstd at all')]);
    expect(await unpack(trailed)).toEqual(plain);
  });

  test('reads a second frame as if it belonged to the first: so length and SHA-256 are checked', async () => {
    const frame = zstdCompressSync(plain, checked);
    expect((await unpack(Buffer.concat([frame, frame]))).length).toBe(2 * plain.length);
  });

  test('reports a frame that is cut off, and a wrong byte when the frame has a checksum', async () => {
    const frame = zstdCompressSync(plain, checked);
    await expect(unpack(frame.subarray(0, -1))).rejects.toThrow(/unexpected end/);
    const flipped = Buffer.from(frame);
    flipped[flipped.length - 1]! ^= 1;
    await expect(unpack(flipped)).rejects.toThrow(/checksum/);
  });
});
