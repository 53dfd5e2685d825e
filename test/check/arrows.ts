import { posix } from 'node:path';

// Who may import what: the picture in code. `#x/…` and relative imports are resolved to a path first; whatever is left
// is a package or one of Node's modules.

/** How something is imported; main may reach the sandbox by `import()` only. */
export type ImportHow = 'static' | 'dynamic';

type Layer = { layers: readonly string[]; packages: readonly string[]; node: readonly string[] | 'any' };

const pureNode = ['node:crypto', 'node:buffer'];
const offered: Layer = { layers: ['procedures', 'engine', 'domain'], packages: ['zod'], node: pureNode };
const inside = ['engine', 'procedures', 'commands', 'checks', 'jobs', 'domain', 'adapters', 'storage', 'settings'];

const picture: Record<string, Layer> = {
  domain: { layers: ['domain'], packages: ['zod'], node: pureNode },
  engine: { layers: ['engine', 'domain'], packages: ['zod', 'yargs-parser'], node: pureNode },
  procedures: { layers: ['engine', 'domain'], packages: ['zod'], node: pureNode },
  commands: offered,
  checks: offered,
  jobs: offered,
  adapters: { layers: ['domain'], packages: ['zod'], node: 'any' },
  storage: { layers: ['storage', 'domain'], packages: ['better-sqlite3', 'zod'], node: 'any' },
  settings: { layers: ['domain', 'engine', 'adapters'], packages: ['zod', 'yaml'], node: 'any' },
  app: { layers: [...inside, 'app'], packages: ['pino', 'yaml', 'zod'], node: 'any' },
  docs: { layers: [...inside, 'app', 'docs'], packages: ['yaml'], node: 'any' },
  main: { layers: ['app', 'settings', 'domain'], packages: ['yargs-parser'], node: 'any' },
  sandbox: { layers: ['sandbox', 'domain', 'settings'], packages: ['@livekit/rtc-node', 'yaml', 'zod'], node: 'any' },
};

/** An SDK lives in the folder of its adapter and nowhere else. */
const adapterPackages: Record<string, readonly string[]> = {
  // better-sqlite3 for the keys of encrypted rooms, which live apart from the bot's memory.
  matrix: ['matrix-bot-sdk', '@matrix-org/matrix-sdk-crypto-wasm', 'fake-indexeddb', 'better-sqlite3'],
  livekit: ['livekit-server-sdk'],
  postgres: ['postgres'],
  cron: ['node-cron'],
  http: ['prom-client'],
  system: ['pino'],
};

/** `src/adapters/matrix/open.ts` -> layer `adapters`, part `matrix`. Undefined outside the picture. */
function placeOf(path: string): { layer: string; part: string } | undefined {
  const [top = '', first = '', second = ''] = path.split('/');
  if (top === 'storage') return { layer: 'storage', part: '' };
  if (top !== 'src') return undefined;
  // What lies beside `app.ts` is a piece of it, and so are the parts of `init.ts`, `doctor.ts` and `mend.ts`.
  if (second !== '')
    return ['init', 'doctor', 'mend'].includes(first) ? { layer: 'app', part: '' } : { layer: first, part: second };
  const name = first.replace(/\.ts$/, '');
  return { layer: ['main', 'settings', 'docs'].includes(name) ? name : 'app', part: '' };
}

/** The path inside the project that is meant, undefined for a package or one of Node's modules. */
function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier);
  if (!specifier.startsWith('#')) return undefined;
  const [name = '', ...rest] = specifier.slice(1).split('/');
  const root = name === 'storage' || name === 'test' ? name : name === 'src' ? 'src' : `src/${name}`;
  return posix.join(root, ...rest);
}

/** What is wrong with this import, undefined when nothing is. `file` is relative to the root of the project. */
export function wrongImport(file: string, specifier: string, how: ImportHow): string | undefined {
  const from = placeOf(file);
  if (from === undefined) return undefined;
  const rules = picture[from.layer];
  if (rules === undefined) return `${file} has no place in the picture of test/check/arrows.ts`;
  const target = targetOf(file, specifier);
  if (target === undefined) return wrongPackage(from, rules, specifier);
  const to = placeOf(target);
  if (to === undefined) return `${from.layer} must not import ${target}: it is not part of the program`;
  if (from.layer === 'main' && to.layer === 'sandbox') {
    return how === 'dynamic' ? undefined : 'main reaches the sandbox by a dynamic import only: it is not in the image';
  }
  // The process itself speaks before there is an app: its log and its clock.
  if (from.layer === 'main' && to.layer === 'adapters' && to.part === 'system') return undefined;
  if (from.layer === 'adapters' && to.layer === 'adapters') {
    return from.part === to.part ? undefined : `adapters/${from.part} must not import adapters/${to.part}`;
  }
  if (from.layer === 'settings' && to.layer === 'adapters' && !target.endsWith('/settings.ts')) {
    return 'settings may import only settings.ts of an adapter';
  }
  return rules.layers.includes(to.layer) ? undefined : `${from.layer} must not import ${to.layer}`;
}

function wrongPackage(from: { layer: string; part: string }, rules: Layer, specifier: string): string | undefined {
  if (specifier.startsWith('node:')) {
    return rules.node === 'any' || rules.node.includes(specifier)
      ? undefined
      : `${from.layer} must not import ${specifier}`;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const own = from.layer === 'adapters' ? (adapterPackages[from.part] ?? []) : [];
  const folder = from.layer === 'adapters' ? `adapters/${from.part}` : from.layer;
  return [...rules.packages, ...own].includes(name) ? undefined : `${folder} must not import the package ${name}`;
}
