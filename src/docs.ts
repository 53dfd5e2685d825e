import { readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Catalogue } from '#engine/catalogue.ts';
import type { Check } from '#engine/check.ts';
import { loadCommands } from './app.ts';
import { discover } from './discover.ts';
import { commandsReference } from './docs/commands-reference.ts';
import { exampleSettings } from './docs/example-settings.ts';
import { rulesReference } from './docs/rules-reference.ts';
import type { SchemaNode } from './docs/schema-node.ts';
import { settingsReference } from './docs/settings-reference.ts';
import { settingsJsonSchema } from './settings.ts';

// Writes the generated files of `config/` (or of --into DIRECTORY); with --check only says which are stale, and exits 1.

const isCheck = (value: unknown): value is Check => typeof value === 'object' && value !== null && 'rules' in value;
const schema = settingsJsonSchema() as SchemaNode;
const checks = await discover(new URL('./checks/', import.meta.url), isCheck);
const catalogue = new Catalogue(await loadCommands());

const pages: Record<string, string> = {
  'commands.md': commandsReference(catalogue.list()),
  'opsroom.schema.json': `${JSON.stringify(schema, undefined, 2)}\n`,
  'opsroom.example.yaml': exampleSettings(schema),
  'settings.md': settingsReference(schema) + rulesReference([...checks.values()]),
};

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, into: { type: 'string' } } });
const directory = values.into ?? fileURLToPath(new URL('../config', import.meta.url));
const stale: string[] = [];
for (const [name, text] of Object.entries(pages)) {
  const file = join(directory, name);
  const written = await readFile(file, 'utf8').catch(() => undefined);
  if (written === text) continue;
  stale.push(file);
  if (!values.check) await writeFile(file, text);
}
for (const file of stale) {
  const shown = relative(process.cwd(), file);
  process.stdout.write(`${shown} ${values.check ? 'is stale: npm run docs writes it' : 'written'}\n`);
}
if (values.check && stale.length > 0) process.exitCode = 1;
