import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { TransformOptions } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ZstdOptions, constants, createZstdCompress } from 'node:zlib';
import { OpsError } from '#domain/errors.ts';
import { startChild } from './child.ts';
import type { DatabaseAddress } from './session.ts';
import { type Tool, withLargeWrites } from './tools.ts';

/** Its rows must not come back: element-meta#2155, and Synapse's own advice. */
export const oneTimeKeys = 'e2e_one_time_keys_json';

const lockWaitMs = 30_000;
/** pg_dump writes 4 to 64 KiB at a time; larger pieces save hops between threads, which cost most on a busy machine. */
const pieceBytes = 1 << 20;
const aheadBytes = 8 << 20;

/**
 * Level 3's tables with the search of the fast levels: on rows like Synapse's, half random base64, two thirds of
 * the time for 1 % more bytes (measured; level 1 would be 10 % more).
 */
const zstdOptions: ZstdOptions & TransformOptions = {
  chunkSize: pieceBytes,
  highWaterMark: aheadBytes,
  params: {
    [constants.ZSTD_c_compressionLevel]: 3,
    [constants.ZSTD_c_strategy]: constants.ZSTD_fast,
    [constants.ZSTD_c_checksumFlag]: 1,
  },
};

export const connectionArgs = (address: DatabaseAddress): string[] => [
  `--host=${address.host}`,
  `--port=${address.port}`,
  `--username=${address.user}`,
  '--no-password',
];

/**
 * `pg_dump -Fc -Z0` through zstd into one file, streamed: memory doesn't grow with the database. Exactly one frame and no
 * workers: `ZSTD_c_nbWorkers` breaks Node's stream (reliability-goals, finding 4), and not every reader takes a second
 * frame. The file is on the disk, not only written, when this resolves.
 */
export async function writeDump(options: {
  tool: Tool;
  address: DatabaseAddress;
  env: Record<string, string>;
  snapshot: string;
  file: string;
  signal: AbortSignal;
  onBytes: (rawBytes: number) => void;
}): Promise<{ rawBytes: number; bytes: number; sha256: string }> {
  const { tool, address, signal } = options;
  const hash = createHash('sha256');
  let [rawBytes, bytes] = [0, 0];
  const handle = await open(options.file, 'wx', 0o600);
  try {
    const child = startChild(
      'pg_dump',
      [
        ...(await withLargeWrites(tool.file)),
        '--format=custom',
        '--compress=0',
        `--snapshot=${options.snapshot}`,
        `--exclude-table-data=*.${oneTimeKeys}`,
        `--lock-wait-timeout=${lockWaitMs}`,
        ...connectionArgs(address),
        `--dbname=${address.database}`,
      ],
      { env: options.env, pipe: 'stdout', secrets: [address.password ?? ''] },
    );
    if (child.stdout === null) throw new Error('pg_dump has no output');
    try {
      await pipeline(
        child.stdout,
        (source: AsyncIterable<Buffer>) =>
          inPieces(source, (piece) => {
            if (rawBytes === 0) checkHead(piece);
            rawBytes += piece.length;
            options.onBytes(rawBytes);
          }),
        createZstdCompress(zstdOptions),
        async (source: AsyncIterable<Buffer>) => {
          for await (const chunk of source) {
            hash.update(chunk);
            bytes += chunk.length;
            await handle.writeFile(chunk);
          }
        },
        { signal },
      );
    } catch (error) {
      await child.kill();
      throw error;
    }
    await child.done;
    if (rawBytes === 0) throw new OpsError('unavailable', 'pg_dump ended well but wrote nothing');
    await handle.sync();
  } finally {
    await handle.close().catch(() => undefined);
  }
  return { rawBytes, bytes, sha256: hash.digest('hex') };
}

async function* inPieces(source: AsyncIterable<Buffer>, see: (piece: Buffer) => void): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  const take = (): Buffer => {
    const piece = Buffer.concat(held, size);
    [held, size] = [[], 0];
    see(piece);
    return piece;
  };
  for await (const chunk of source) {
    held.push(chunk);
    size += chunk.length;
    if (size >= pieceBytes) yield take();
  }
  if (size > 0) yield take();
}

/** Every custom-format archive begins so. */
function checkHead(piece: Buffer): void {
  if (!piece.subarray(0, 5).equals(Buffer.from('PGDMP')))
    throw new OpsError('unavailable', 'what pg_dump wrote is not an archive');
}
