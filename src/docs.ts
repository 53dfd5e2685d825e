import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { exampleSettings } from './docs/example-settings.ts';
import type { SchemaNode } from './docs/schema-node.ts';
import { settingsReference } from './docs/settings-reference.ts';
import { settingsJsonSchema } from './settings.ts';

// Writes the generated files of `config/`; with --check only says which are stale, and exits 1.

const schema = settingsJsonSchema() as SchemaNode;
const pages: Record<string, string> = {
  'opsroom.schema.json': `${JSON.stringify(schema, undefined, 2)}\n`,
  'opsroom.example.yaml': exampleSettings(schema),
  'settings.md': settingsReference(schema),
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
const stale: string[] = [];
for (const [name, text] of Object.entries(pages)) {
  const file = new URL(`../config/${name}`, import.meta.url);
  const written = await readFile(file, 'utf8').catch(() => undefined);
  if (written === text) continue;
  stale.push(`config/${name}`);
  if (!values.check) await writeFile(file, text);
}
for (const name of stale)
  process.stdout.write(`${name} ${values.check ? 'is stale: npm run docs writes it' : 'written'}\n`);
if (values.check && stale.length > 0) process.exitCode = 1;
