import { counted } from '#domain/counted.ts';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { verifyExport } from '#domain/audit-export.ts';
import { OpsError } from '#domain/errors.ts';
import { linesOf } from '#storage/audit-file.ts';

const usage = `npm start -- audit verify FILE [--key FILE]

FILE is what !audit export wrote. --key is the bot's audit-key.pub.pem, kept from a time when all was well: without it
the key in FILE is believed, and its fingerprint has to be the one that the bot's seals in the room show.
`;

type Output = { write(text: string): unknown };

/** Verifies an export without a bot, a database or the network. Exit code 0 when it is whole, 1 when it isn't. */
export function verifyAuditFile(argv: string[], output: Output): number {
  const { words, key, help } = readArgs(argv);
  if (help) {
    output.write(usage);
    return 0;
  }
  const [verb, file, ...more] = words;
  if (verb !== 'verify' || file === undefined || more.length > 0) {
    throw new OpsError('invalid', 'That is not how an audit is verified.', { hint: usage });
  }
  const pinned = key === undefined ? undefined : readPublicKey(key);
  const { verdict, fingerprint, exportedAt } = withFile(file, () => verifyExport(linesOf(file), pinned));
  const made = new Date(exportedAt).toISOString();
  if (!verdict.ok) {
    const where = verdict.seq > 0 ? `entry ${verdict.seq}: ` : '';
    output.write(`The record was changed: ${where}${verdict.why}.\n`);
    return 1;
  }
  const forgotten = verdict.forgotten > 0 ? ` ${verdict.forgotten} without detail (erased).` : '';
  output.write(
    `${counted(verdict.rows, 'entry', 'entries')}, none changed, of ${made}.${forgotten} Head ${verdict.head}.\n`,
  );
  output.write(
    pinned
      ? `Signed by the key you named, ${fingerprint}.\n`
      : `Signed by the key in the file, ${fingerprint}: compare it with a seal in the room, or name the key with --key.\n`,
  );
  return 0;
}

function readArgs(args: string[]): { words: string[]; key: string | undefined; help: boolean } {
  try {
    const { positionals, values } = parseArgs({
      args,
      allowPositionals: true,
      options: { key: { type: 'string' }, help: { type: 'boolean', default: false } },
    });
    return { words: positionals, key: values.key, help: values.help };
  } catch (error) {
    throw new OpsError('invalid', (error as Error).message, { hint: usage, cause: error });
  }
}

function readPublicKey(file: string): ReturnType<typeof createPublicKey> {
  const text = withFile(file, () => readFileSync(file));
  try {
    return createPublicKey(text);
  } catch (error) {
    throw new OpsError('invalid', `${file} holds no public key.`, { hint: usage, cause: error });
  }
}

function withFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (error instanceof OpsError || typeof code !== 'string') throw error;
    throw new OpsError('invalid', `${file} cannot be read (${code}).`, { hint: usage, cause: error });
  }
}
