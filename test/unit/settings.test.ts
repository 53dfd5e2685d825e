import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBytes } from '#domain/duration.ts';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { loadSettings, partsOff, printRedacted, settingsFile, type Settings } from '#src/settings.ts';

const canary = 'syt_canary_5f0e';
const least = `
matrix:
  homeserverUrl: http://127.0.0.1:8008
  userId: "@opsroom:example.org"
  accessToken: { env: TOKEN }
  opsRoom: "#ops:example.org"
people:
  - { user: "@alice:example.org", role: owner }
synapse:
  url: http://127.0.0.1:8008
  adminToken: { env: TOKEN }
`;
const env = { TOKEN: canary };

/** Loads a text as if it were the file `/etc/opsroom/opsroom.yaml`; secret files are in `files`. */
function load(text: string, files: Record<string, { text: string; mode: number }> = {}): Settings {
  const readFile = (path: string): { text: string; mode: number } => {
    if (path === '/etc/opsroom/opsroom.yaml') return { text, mode: 0o644 };
    const found = files[path];
    if (found === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' });
    return found;
  };
  return loadSettings({ file: '/etc/opsroom/opsroom.yaml', env, readFile });
}

/** What is said about a text that must be refused, line by line. */
function refused(text: string, files: Record<string, { text: string; mode: number }> = {}): string[] {
  try {
    load(text, files);
  } catch (error) {
    expect(error).toBeInstanceOf(OpsError);
    if (!(error instanceof OpsError)) throw error;
    expect(error.kind).toBe('invalid');
    expect(`${error.message} ${error.hint}`).not.toContain(canary);
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  throw new Error('it was accepted');
}

describe('roles', () => {
  it('may ask a power level and give commands', () => {
    const text = `${least}roles: { operator: { powerLevel: 50, grants: ["export unless target-admin"] } }\n`;
    expect(load(text).roles).toEqual({
      operator: { powerLevel: 50, grants: [{ command: 'export', unless: ['target-admin'] }] },
    });
    expect(load(least).roles).toEqual({});
  });
  it.each([
    ['{ operator: { powerLevel: high } }', 'roles.operator.powerLevel: must be a power level'],
    ['{ operator: { grants: ["export unless admin"] } }', 'roles.operator.grants[0]: must be a command, and when'],
    ['{ operators: {} }', 'roles.operators: is not a known key; did you mean operator'],
  ])('%s is refused', (text, why) => expect(refused(`${least}roles: ${text}\n`).join()).toContain(why));
});

describe('how long a question stays open', () => {
  it.each([
    ['{ alone: { wait: 0s, announce: everyone } }', /approvals\.alone.*5m or more/],
    ['{ caller: 0s }', /approvals\.caller: must be 5s or more/],
    ['{ twoPerson: 1s }', /approvals\.twoPerson: must be 5s or more/],
  ])('%s leaves nobody time to answer', (text, why) =>
    expect(refused(`${least}approvals: ${text}\n`).join()).toMatch(why),
  );
});

it.each(['constructor', '__proto__'])('an environment variable called %s is one that is not set', (name) => {
  expect(refused(least.replace('env: TOKEN', `env: ${name}`)).join()).toContain('not set');
});

describe('a good file', () => {
  it('needs matrix, people and synapse only, and says what is off', () => {
    const settings = load(least);
    expect(settings.dataDir).toBe('/etc/opsroom/.data');
    expect(settings.prefix).toBe('!');
    expect(settings.approvals).toEqual({ callerMs: 300_000, twoPersonMs: 1_800_000 });
    expect(settings.onCall.escalation.at(-1)).toEqual({ afterMs: 900_000, notify: 'everyone' });
    expect(settings.reports.daily).toBe('0 9 * * *');
    expect(partsOff(settings).map(({ setting }) => setting)).toEqual([
      'livekit',
      'roster',
      'postgres',
      'backups',
      'http',
      'alerts.webhookSecret',
    ]);
  });

  it('reads durations, limits, tables, addresses and paths into what the code works with', () => {
    const settings = load(`${least}
postgres: { host: /run/postgresql, database: synapse, user: synapse, binDirectory: pg }
roster:
  kind: postgres
  url: { env: TOKEN }
  users: { table: app."User", id: id, matrixId: matrixUserId, status: status, active: A, suspended: S, onboarding: O }
backups: { directory: sets, schedule: off }
http: { listen: "[::1]:9099" }
alerts: { rules: { disk-free: { warning: 20%, critical: 2GiB, for: 5m }, sync-latency: { critical: 1500ms }, pool: { off: true } } }
disks: [/srv, media]
`);
    expect(settings.backups).toMatchObject({
      directory: '/etc/opsroom/sets',
      keepDays: 30,
      minKeep: 3,
      verify: 'each',
    });
    expect(settings.backups?.schedule).toBeUndefined();
    expect(settings.postgres).toMatchObject({ host: '/run/postgresql', port: 5432, binDirectory: '/etc/opsroom/pg' });
    expect(settings.roster?.users.table).toEqual({ schema: 'app', table: 'User' });
    expect(settings.http?.listen).toEqual({ host: '::1', port: 9099 });
    expect(settings.disks).toEqual(['/srv', '/etc/opsroom/media']);
    expect(settings.alerts.rules['disk-free']).toMatchObject({ warning: 0.2, critical: 2 * 1024 ** 3, forMs: 300_000 });
    expect(settings.alerts.rules['sync-latency']?.critical).toBe(1.5);
    expect(settings.alerts.rules['pool']?.off).toBe(true);
  });

  it('refuses the bot as a person, under whichever of their accounts', () => {
    const said = /people.*names @opsroom:example\.org, which is the bot's own account/;
    expect(() => load(least.replace('user: "@alice:', 'user: "@opsroom:'))).toThrow(said);
    expect(() => load(least.replace('role: owner', 'role: owner, aka: ["@opsroom:example.org"]'))).toThrow(said);
  });

  it('takes a secret from a file, without the line end', () => {
    const text = least.replace('accessToken: { env: TOKEN }', 'accessToken: { file: ./secrets/token }');
    const settings = load(text, { '/etc/opsroom/secrets/token': { text: 'abc\n', mode: 0o600 } });
    expect(settings.matrix.accessToken.reveal()).toBe('abc');
  });

  it('G3: a secret in a file that anybody else may open refuses the start, whatever the mode', () => {
    const text = least.replace('accessToken: { env: TOKEN }', 'accessToken: { file: ./secrets/token }');
    for (let mode = 0; mode <= 0o777; mode += 1) {
      const files = { '/etc/opsroom/secrets/token': { text: 'abc\n', mode } };
      if ((mode & 0o077) === 0) expect(load(text, files).matrix.accessToken.reveal()).toBe('abc');
      else expect(refused(text, files)[0]).toContain('which others may open');
    }
  });

  it('is found by the command line first, then by the environment', () => {
    expect(settingsFile('a.yaml', { OPSROOM_SETTINGS: 'b.yaml' })).toBe('a.yaml');
    expect(settingsFile(undefined, { OPSROOM_SETTINGS: 'b.yaml' })).toBe('b.yaml');
    expect(settingsFile(undefined, { OPSROOM_SETTINGS: '' })).toBeUndefined();
  });
});

describe('a secret', () => {
  it('never prints itself', () => {
    const settings = load(least);
    for (const text of [
      printRedacted(settings),
      inspect(settings, { depth: 9, showHidden: true }),
      JSON.stringify(settings),
    ]) {
      expect(text).not.toContain(canary);
      expect(text).toContain('<secret>');
    }
    const secret = new Secret(canary);
    expect(String(secret)).toBe('<secret>');
    expect(Object.keys(secret)).toEqual([]);
    expect(secret.reveal()).toBe(canary);
  });

  it('is refused when it stands in the settings, by its key and never its value', () => {
    expect(refused(least.replace('{ env: TOKEN }', canary))).toEqual([
      'line 5, matrix.accessToken: is written in the file itself. Put it into a file of mode 0600 and write { file: PATH }, or { env: NAME }',
    ]);
    const inUrl = least.replace('http://127.0.0.1:8008\n  userId', `http://bot:${canary}@127.0.0.1:8008\n  userId`);
    expect(refused(inUrl)[0]).toMatch(/^line 3, matrix.homeserverUrl: must be .* without a password in it$/);
  });

  it.each([
    [
      '{ file: secrets/open }',
      'is in /etc/opsroom/secrets/open, which others may open (mode 0640). Type: chmod 600 /etc/opsroom/secrets/open',
    ],
    ['{ file: secrets/empty }', 'is in /etc/opsroom/secrets/empty, which is empty'],
    ['{ file: secrets/none }', 'is in /etc/opsroom/secrets/none: there is no such file'],
    ['{ env: NOT_SET }', 'is in the environment variable NOT_SET, which is not set'],
    ['{ file: a, env: b }', 'must be { file: PATH } or { env: NAME }'],
    ['{ file: 7 }', 'must be { file: PATH } or { env: NAME }'],
    ['', 'is empty'],
  ])('%s is refused', (written, text) => {
    const files = {
      '/etc/opsroom/secrets/open': { text: canary, mode: 0o640 },
      '/etc/opsroom/secrets/empty': { text: '\n', mode: 0o600 },
    };
    expect(refused(least.replace('adminToken: { env: TOKEN }', `adminToken: ${written}`), files)).toEqual([
      `line 11, synapse.adminToken: ${text}`,
    ]);
  });
});

describe('a wrong file', () => {
  it('is told every problem at once, each with its line and key, in the order of the file', () => {
    const problems = refused(`matrx: {}
people:
  - { user: alice, role: chief }
  - { user: "@bob:example.org", role: owner, aka: ["@bob:example.org"], phone: 1 }
synapse:
  urls: [${canary}]
  adminToken: { env: TOKEN }
timezone: Europe/Berln
onCall: { layers: [{ name: p, rotation: weekly, handoff: "09:00", people: ["@a:b"] }] }
backups: { directory: /b, schedule: "0 25 * * *", minKeep: 1 }
`);
    expect(problems).toEqual([
      'line 1, matrx: is not a known key; did you mean matrix?',
      'line 1, matrix: is missing',
      'line 3, people[0].user: must be a Matrix user id such as @name:example.org',
      'line 3, people[0].role: must be viewer, operator, admin or owner',
      'line 4, people[1].phone: is not a known key; known here: user, role, aka, shell',
      'line 6, synapse.urls: is not a known key; did you mean url?',
      'line 6, synapse.url: is missing',
      'line 8, timezone: must be a time zone such as Europe/Berlin',
      'line 9, onCall.layers[0].handoff: must have a day ("Mon 09:00") in a weekly rotation and none in a daily one',
      'line 10, backups.schedule: must be a cron line of five fields such as "0 2 * * *", or off',
      'line 10, backups.minKeep: must be a whole number from 3 to 1000',
    ]);
  });

  it.each([
    ['', 'matrix: is missing'],
    ['- a', 'must be a mapping'],
    [`a: [${canary}`, 'line 1'],
    [`a: 1\na: ${canary}`, 'line 2'],
    ['a: *b', 'alias'],
  ])('%j', (text, said) => {
    expect(refused(text).join('\n')).toContain(said);
  });

  it('takes no password in the clear, and one account for one human', () => {
    const password = least.replace('  opsRoom', `  password: ${canary}\n  opsRoom`);
    expect(refused(password)).toEqual([expect.stringContaining('line 6, matrix.password: ')]);
    const twice = least.replace(
      'synapse:',
      '  - { user: "@bob:b", role: viewer, aka: ["@alice:example.org"] }\nsynapse:',
    );
    expect(refused(twice)).toEqual(['line 9, people[1]: names @alice:example.org a second time']);
  });

  it('is missing', () => {
    expect(() => loadSettings({ file: '/nowhere/opsroom.yaml', env })).toThrow(
      'Cannot read the settings /nowhere/opsroom.yaml: there is no such file.',
    );
  });
});

describe('on disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'opsroom-settings-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('the example in config/ loads, and a secret open to others does not', () => {
    const example = readFileSync(new URL('../../config/opsroom.example.yaml', import.meta.url), 'utf8');
    const file = join(directory, 'opsroom.yaml');
    writeFileSync(file, example);
    mkdirSync(join(directory, 'secrets'));
    const secrets = [...example.matchAll(/\.\/secrets\/[\w-]+/g)].map(([name]) => join(directory, name));
    for (const path of secrets) writeFileSync(path, canary, { mode: 0o600 });
    expect(partsOff(loadSettings({ file, env: {} }))).toEqual([]);
    chmodSync(secrets[0] ?? '', 0o604);
    expect(() => loadSettings({ file, env: {} })).toThrow(`chmod 600 ${secrets[0]}`);
  });
});

describe('sizes', () => {
  it('are read with their unit, and nothing else is a size', () => {
    expect([parseBytes('512B'), parseBytes('10MiB'), parseBytes('1.5 GiB')]).toEqual([512, 10_485_760, 1_610_612_736]);
    for (const text of ['10MB', '10', '', '-1KiB', 'x', '9999999TiB']) expect(() => parseBytes(text)).toThrow(OpsError);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8000 }), fc.constantFrom(1, 2, 3, 4), (count, power) => {
        expect(parseBytes(`${count}${['KiB', 'MiB', 'GiB', 'TiB'][power - 1]}`)).toBe(count * 1024 ** power);
      }),
    );
  });
});
