import { OpsError } from '#domain/errors.ts';

// Unquoted or in quotes, with "" for a quote inside. The case is taken as written, also without quotes: settings name
// tables as the application's code does.
const name = '(?:[A-Za-z_][A-Za-z0-9_$]*|"(?:[^"\\0]|"")+")';
const tablePattern = new RegExp(`^(?:(${name})\\.)?(${name})$`);
// A column stands alone, so a name with blanks or umlauts needs no quotes either.
const columnPattern = new RegExp(`^(${name}|[^"\\0]+)$`);
// PostgreSQL cuts longer names without an error.
const longestBytes = 63;

/** `"User"`, `app."User"` or `users`, quoted for SQL. Throws `misconfigured` for anything else. */
export function quoteTable(text: string, setting: string): string {
  const [, schema, table] = tablePattern.exec(text) ?? [];
  if (table === undefined) throw refuse(text, setting);
  return [schema, table]
    .filter((part) => part !== undefined)
    .map((part) => quote(part, setting))
    .join('.');
}

/** A column's name, quoted for SQL. Throws `misconfigured`. */
export function quoteColumn(text: string, setting: string): string {
  const [, column] = columnPattern.exec(text) ?? [];
  if (column === undefined) throw refuse(text, setting);
  return quote(column, setting);
}

function quote(written: string, setting: string): string {
  const plain = written.startsWith('"') ? written.slice(1, -1).replaceAll('""', '"') : written;
  if (Buffer.byteLength(plain) > longestBytes) throw refuse(plain, setting);
  return `"${plain.replaceAll('"', '""')}"`;
}

const refuse = (text: string, setting: string): OpsError =>
  new OpsError('misconfigured', `${setting}: ${JSON.stringify(text)} is not a name that PostgreSQL takes.`, {
    hint: 'Write it as Person, "Person" or schema."Person".',
  });
