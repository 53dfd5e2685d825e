import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { startChild } from './child.ts';
import { connectionArgs } from './dump.ts';
import type { DatabaseAddress } from './session.ts';
import type { Tool } from './tools.ts';

/** What a copy made only for counting needn't be: safe against a power cut. */
const hasty = '-c synchronous_commit=off -c maintenance_work_mem=128MB -c statement_timeout=0';

/**
 * Streams a dump into an empty database. Throws `ChildFailed` with what pg_restore said. No subscriptions: a copy must
 * not begin to replicate. Owners, grants and comments may need rights that the scratch user hasn't.
 */
export async function restoreDump(options: {
  tool: Tool;
  target: DatabaseAddress;
  env: Record<string, string>;
  file: string;
  signal: AbortSignal;
  onBytes: (rawBytes: number) => void;
}): Promise<void> {
  const { tool, target, signal } = options;
  const left = [
    '--no-owner',
    '--no-privileges',
    '--no-comments',
    '--no-publications',
    '--no-subscriptions',
    '--no-security-labels',
    '--no-tablespaces',
  ];
  const child = startChild(
    'pg_restore',
    [tool.file, '--exit-on-error', ...left, ...connectionArgs(target), `--dbname=${target.database}`],
    { env: { ...options.env, PGOPTIONS: hasty }, pipe: 'stdin', secrets: [target.password ?? ''] },
  );
  if (child.stdin === null) throw new Error('pg_restore has no input');
  let rawBytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      rawBytes += chunk.length;
      options.onBytes(rawBytes);
      next(null, chunk);
    },
  });
  const kill = () => void child.kill();
  signal.addEventListener('abort', kill, { once: true });
  try {
    const source = createReadStream(options.file, { highWaterMark: 1 << 18 });
    await pipeline(source, createZstdDecompress(), counter, child.stdin, { signal }).catch(async (error: unknown) => {
      // It gave up and closed its input: its own words, thrown by `done`, say why.
      if (!signal.aborted && isBrokenPipe(error)) return;
      await child.kill();
      throw error;
    });
    await child.done;
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

const isBrokenPipe = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'ECONNRESET');
