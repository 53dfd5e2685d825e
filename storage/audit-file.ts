import { closeSync, openSync, readSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { exportHead, exportRow, exportSeal } from '#domain/audit-export.ts';
import type { SealKey } from '#domain/audit-seal.ts';
import type { EpochMs } from '#domain/clock.ts';
import type { Ledger } from '#domain/ledger.ts';

const pieceRows = 1000;
const readBytes = 256 * 1024;

/** Writes the record into a new file of `folder`, in pieces, so that the bot goes on meanwhile. Gives its path. */
export async function writeAuditFile(
  folder: string,
  of: { ledger: Pick<Ledger, 'auditAll' | 'auditSeals'>; key: SealKey; rows: number; at: EpochMs },
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const moment = new Date(of.at).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const path = join(folder, `audit-${moment}.jsonl`);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    const seals = of.ledger.auditSeals().filter(({ seq }) => seq <= of.rows);
    let lines = [exportHead({ ...of, seals: seals.length }), ...seals.map(({ note }) => exportSeal(note))];
    for (const link of of.ledger.auditAll()) {
      if (link.seq > of.rows) break;
      lines.push(exportRow(link));
      if (lines.length < pieceRows) continue;
      await file.write(`${lines.join('\n')}\n`);
      lines = [];
    }
    if (lines.length > 0) await file.write(`${lines.join('\n')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  return path;
}

/** The lines of a file of any size. */
export function* linesOf(path: string): Generator<string> {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(readBytes);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for (let count = readSync(file, bytes); count > 0; count = readSync(file, bytes)) {
      const lines = (rest + decoder.write(bytes.subarray(0, count))).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    if (rest !== '') yield rest;
  } finally {
    closeSync(file);
  }
}
