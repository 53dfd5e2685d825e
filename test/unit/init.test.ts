import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { init } from '#src/init.ts';
import { registrationMac } from '#src/init/accounts.ts';
import { readFlags } from '#src/init/flags.ts';
import { readSecretFile, readSharedSecret, SecretsDirectory, writePrivate } from '#src/init/private-files.ts';
import { lookAtSettings, type Made, settingsText, writeSettings } from '#src/init/settings-file.ts';
import { askForRest, Terminal } from '#src/init/terminal.ts';
import { loadSettings } from '#src/settings.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opsroom-init-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string): string => join(directory, name);
const file = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(at(name), text);
  chmodSync(at(name), mode);
  return at(name);
};
const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe('flags', () => {
  const refused = (...argv: string[]): OpsError => {
    try {
      readFlags(argv);
    } catch (error) {
      if (error instanceof OpsError) return error;
      throw error;
    }
    throw new Error('it was accepted');
  };

  it('are read into what the code works with', () => {
    const [first, second] = [
      '--homeserver http://127.0.0.1:8008/ --shared-secret-file s --owner alice --ops-room #ops --yes --listen [::1]:9',
      '--metrics-url http://a:1/m --metrics-url=http://b:1/m --postgres-host /run/postgresql --postgres-port 5433',
    ];
    const { answers, yes, force } = readFlags(`${first} ${second}`.split(' '));
    expect(answers).toMatchObject({
      homeserver: 'http://127.0.0.1:8008',
      owner: '@alice',
      'metrics-url': ['http://a:1/m', 'http://b:1/m'],
      listen: { host: '::1', port: 9 },
      'postgres-port': 5433,
    });
    expect([yes, force]).toEqual([true, false]);
  });

  it.each([
    '--shared-secret',
    '--admin-token',
    '--postgres-password',
    '--livekit-secret',
    '--token',
    '--registration-shared-secret',
  ])('%s is refused without repeating its value', (flag) => {
    for (const argv of [[flag, 'canary-1'], [`${flag}=canary-1`]]) {
      const { kind, message, hint } = refused('--owner', '@a:b', ...argv);
      expect(kind).toBe('invalid');
      expect(message).toContain('no secret goes on the command line');
      expect(`${message} ${hint}`).not.toContain('canary-1');
    }
  });

  it.each([
    [['--homeserver', 'matrix.example.org'], '--homeserver must be an http:// or https:// address'],
    [['--homeserver', 'https://me:pw@h'], '--homeserver must be'],
    [['--owner', 'not a user'], '--owner must be a Matrix user id'],
    [['--ops-room', 'ops'], '--ops-room must be an alias such as #ops'],
    [['--postgres-host', 'h', '--postgres-port', '99999'], '--postgres-port must be a whole number'],
    [['--listen', 'x'], '--listen must be an address and port, or off'],
    [['--bot', 'Ops Room'], '--bot must be a name'],
    [['--colour', 'red'], "I don't know the flag --colour"],
    [['--homeserver'], '--homeserver needs a value'],
    [['--ops-room', '--yes'], "a shell wants quotes: '#ops'"],
    [['stray'], 'it takes flags only'],
    [['--shared-secret-file', 'a', '--admin-token-file', 'b'], 'not both'],
    [['--livekit-url', 'http://l', '--livekit-key', 'k'], '--livekit-secret-file is missing'],
    [['--backups', '/b'], '--backups needs --postgres-host'],
    [['--bot', 'x', '--admin', 'x'], '--bot and --admin must differ'],
  ])('%j is refused: %s', (argv, said) => {
    const { kind, message } = refused(...argv);
    expect(kind).toBe('invalid');
    expect(message).toContain(said);
  });

  it('without a terminal, name what is missing', async () => {
    const streams = { input: new PassThrough(), output: new PassThrough() };
    await expect(init(['--owner', '@a:b'], streams)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/--homeserver, --ops-room, --shared-secret-file \(or --admin-token-file\)/),
    });
  });
});

it('the signature is that of the Synapse documentation', () => {
  const signed = { nonce: 'thisisanonce', localpart: 'pepper_roni', password: new Secret('pizza'), admin: true };
  expect(registrationMac(new Secret('shared_secret'), signed)).toBe('48715842ad67d5dc9a9ee938a3bda4fcfae8d7c7');
});

describe('secrets given in files', () => {
  it('are read without the line end, from homeserver.yaml too, whatever its mode', async () => {
    expect((await readSharedSecret(file('plain', 's3cret\n'))).reveal()).toBe('s3cret');
    const yaml = 'server_name: example.org\nregistration_shared_secret: "a:b#c"\n';
    expect((await readSharedSecret(file('homeserver.yaml', yaml, 0o644))).reveal()).toBe('a:b#c');
    file('elsewhere', 'deep\n');
    const pointing = 'server_name: x\nregistration_shared_secret_path: ./elsewhere\n';
    expect((await readSharedSecret(file('pointing.yaml', pointing))).reveal()).toBe('deep');
  });

  it('are refused when others may open them, and when they are none', async () => {
    await expect(readSharedSecret(file('open', 'canary', 0o640))).rejects.toMatchObject({
      message: expect.stringContaining('mode 0640'),
      hint: `Type: chmod 600 ${at('open')}`,
    });
    await expect(readSecretFile(file('empty', '\n'), '--x')).rejects.toThrow('is empty');
    await expect(readSecretFile(file('two', 'canary\nlines'), '--x')).rejects.toThrow(
      /^(?!.*canary).*more than one line/,
    );
    await expect(readSecretFile(at('none'), '--x')).rejects.toThrow('there is no such file');
    await expect(readSharedSecret(file('h.yaml', 'server_name: x\n'))).rejects.toThrow('no registration_shared_secret');
  });
});

describe('files that are written', () => {
  it('are of mode 0600, whole, and leave nothing beside them', async () => {
    await writePrivate(at('deep/er/file'), 'one\n');
    expect(readFileSync(at('deep/er/file'), 'utf8')).toBe('one\n');
    expect([modeOf(at('deep/er/file')), modeOf(at('deep/er')), modeOf(at('deep'))]).toEqual([0o600, 0o700, 0o700]);
    file('wide', 'old', 0o644);
    await writePrivate(at('wide'), 'new', { keepOld: true });
    expect([modeOf(at('wide')), modeOf(at('wide.bak'))]).toEqual([0o600, 0o600]);
    expect(readFileSync(at('wide.bak'), 'utf8')).toBe('old');
    expect(readdirSync(directory).sort()).toEqual(['deep', 'wide', 'wide.bak']);
  });

  it('a secret that is there already is not written again, but closed to others', async () => {
    const secrets = new SecretsDirectory(at('opsroom.yaml'));
    expect(await secrets.find('token')).toBeUndefined();
    await secrets.put('token', new Secret('abc'));
    const path = join(secrets.path, 'token');
    chmodSync(path, 0o644);
    const before = statSync(path).ino;
    await secrets.put('token', new Secret('abc'));
    expect([statSync(path).ino, modeOf(path)]).toEqual([before, 0o600]);
    await secrets.put('token', new Secret('def'));
    expect((await secrets.find('token'))?.reveal()).toBe('def');
    expect(readdirSync(secrets.path)).toEqual(['token']);
  });

  it('where nobody may write, it is said, with nothing lost', async () => {
    file('afile', 'x');
    await expect(writePrivate(at('afile/inside'), 'y')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('Cannot write'),
    });
  });
});

describe('opsroom.yaml', () => {
  const made: Made = {
    homeserver: 'http://127.0.0.1:8008',
    bot: '@opsroom:example.org' as Made['bot'],
    owner: '@alice:example.org' as Made['owner'],
    opsRoom: '#ops:example.org',
    metricsUrls: ['http://127.0.0.1:9000/_synapse/metrics'],
    password: false,
  };
  const [calls, database] = [
    '--livekit-url http://l:7880 --livekit-secret-file x --livekit-metrics-url http://l/m',
    '--postgres-host ::1 --postgres-password-file x --listen [::1]:9099 --timezone Europe/Berlin',
  ];
  const odd = ['--livekit-key', 'k: "#', '--backups', '/b: #'];
  const everything = readFlags([...`${calls} ${database}`.split(' '), ...odd]).answers;

  it.each([
    ['the least', {}, ['livekit', 'roster', 'postgres', 'backups']],
    ['everything', everything, ['roster']],
    [
      'no http',
      readFlags(['--listen', 'off']).answers,
      ['livekit', 'roster', 'postgres', 'backups', 'http', 'webhooks'],
    ],
  ])('%s is read back as it was meant', async (_name, answers, off) => {
    const secrets = new SecretsDirectory(at('opsroom.yaml'));
    for (const name of ['matrix-token', 'synapse-admin-token', 'livekit-secret', 'pg-password', 'webhook-secret']) {
      await secrets.put(name, new Secret(`value of ${name}`));
    }
    const text = settingsText(answers, made);
    expect(text).not.toContain('value of');
    await writePrivate(at('opsroom.yaml'), text);
    const settings = loadSettings({ file: at('opsroom.yaml'), env: {} });
    expect(settings.matrix).toMatchObject({ userId: made.bot, opsRoom: made.opsRoom, homeserverUrl: made.homeserver });
    expect(settings.matrix.accessToken.reveal()).toBe('value of matrix-token');
    expect(settings.people).toEqual([{ user: made.owner, role: 'owner', aka: [] }]);
    const { partsOff } = await import('#src/settings.ts');
    expect(partsOff(settings).map(({ part }) => part)).toEqual(off);
    if (answers !== everything) return;
    expect(settings).toMatchObject({
      timezone: 'Europe/Berlin',
      livekit: { apiKey: 'k: "#', metricsUrl: 'http://l/m' },
      postgres: { host: '::1', port: 5432, database: 'synapse', user: 'synapse' },
      backups: { directory: '/b: #' },
      http: { listen: { host: '::1', port: 9099 } },
    });
  });

  it('that is there is left alone, unless told otherwise; then the old one is kept', async () => {
    const path = at('opsroom.yaml');
    const wanted = { homeserver: made.homeserver, bot: 'opsroom', force: false };
    expect(await lookAtSettings(path, wanted)).toBeUndefined();
    const text = settingsText({}, made);
    expect(await writeSettings(path, text, undefined, false)).toBe('written');
    const known = await lookAtSettings(path, wanted);
    expect(await writeSettings(path, text, known, false)).toBe('same');
    expect(await writeSettings(path, `${text}prefix: "?"\n`, known, false)).toBe('left');
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(await writeSettings(path, 'prefix: "?"\n', known, true)).toBe('written');
    expect([readFileSync(path, 'utf8'), readFileSync(`${path}.bak`, 'utf8')]).toEqual(['prefix: "?"\n', text]);
  });

  it.each([
    ['of another homeserver', { homeserver: 'http://127.0.0.1:9' }],
    ['of another bot', { bot: 'ops' }],
  ])('%s stops everything before it begins', async (_name, other) => {
    const path = file('opsroom.yaml', settingsText({}, made));
    const wanted = { homeserver: made.homeserver, bot: 'opsroom', force: false, ...other };
    await expect(lookAtSettings(path, wanted)).rejects.toMatchObject({ kind: 'invalid' });
    expect(await lookAtSettings(path, { ...wanted, force: true })).toBeDefined();
    file('opsroom.yaml', 'matrix: [');
    await expect(lookAtSettings(path, wanted)).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('questions', () => {
  const open = (typed: string) => {
    const input = new PassThrough();
    const output = new PassThrough();
    let shown = '';
    output.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const terminal = new Terminal(input, output, new AbortController().signal);
    input.write(typed);
    return { terminal, input, shown: () => shown };
  };

  it('ask for what the flags leave open, again when an answer is none, pasted ahead or not', async () => {
    const typed = ['ftp://x', '', '', 'secret.txt', 'alice', '', '', '', ''].join('\n');
    const { terminal, shown } = open(`${typed}\n`);
    using _closed = terminal;
    const answers = {};
    const checked: string[] = [];
    await askForRest(terminal, answers, (url) => {
      checked.push(url);
      if (checked.length === 1) throw new OpsError('unavailable', 'It does not answer.');
      return Promise.resolve();
    });
    expect(answers).toMatchObject({
      homeserver: 'http://127.0.0.1:8008',
      'shared-secret-file': 'secret.txt',
      owner: '@alice',
      'ops-room': '#ops',
    });
    expect(checked).toHaveLength(2);
    expect(shown()).toContain('It must be an http:// or https:// address');
    expect(shown()).toContain('It does not answer.');
  });

  it('end with Ctrl-D', async () => {
    const { terminal, input } = open('');
    using _closed = terminal;
    const asking = askForRest(terminal, {}, () => Promise.resolve());
    input.end();
    await expect(asking).rejects.toMatchObject({ kind: 'cancelled', message: 'Stopped. Nothing was made.' });
  });

  it('end when the process is told to stop', async () => {
    const stop = new AbortController();
    using terminal = new Terminal(new PassThrough(), new PassThrough(), stop.signal);
    const asking = terminal.yes('Go on?');
    stop.abort();
    await expect(asking).rejects.toMatchObject({ kind: 'cancelled' });
  });
});
