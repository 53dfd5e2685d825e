import { chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '#domain/secret.ts';
import { mend } from '#src/mend.ts';
import { SecretPlaces } from '#src/mend/places.ts';

let directory: string;
let settings: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mend-'));
  settings = join(directory, 'opsroom.yaml');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function places(yaml: string): Promise<SecretPlaces> {
  await writeFile(settings, yaml);
  return new SecretPlaces(settings, join(directory, 'handover'));
}

describe('where a new secret goes', () => {
  test('into the file that the settings name, whole, of mode 0600', async () => {
    const where = await places('matrix: { accessToken: { file: ./secrets/token } }');
    const file = join(directory, 'secrets', 'token');
    expect(await where.put('matrix.accessToken', new Secret('new'))).toBe(file);
    expect(await readFile(file, 'utf8')).toBe('new\n');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(where.steps).toEqual([]);
  });

  test('a password that no setting names lies beside the token', async () => {
    const where = await places('matrix: { accessToken: { file: ./secrets/token } }');
    expect(where.where('matrix.password')).toBe(join(directory, 'secrets', 'matrix-password'));
  });

  test('what belongs into an environment variable is left in a file, and said, never shown', async () => {
    const where = await places('matrix: { accessToken: { env: BOT_TOKEN } }');
    const file = await where.put('matrix.accessToken', new Secret('new'));
    expect(file).toBe(join(directory, 'handover', 'matrix-accessToken'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(where.steps).toEqual([`Put what is in ${file} into the environment variable BOT_TOKEN, then: rm ${file}`]);
  });

  test('root leaves the file to the bot’s own Unix user', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can write for another Unix user');
    const where = await places('matrix: { accessToken: { file: ./secrets/token } }');
    const file = join(directory, 'secrets', 'token');
    await mkdir(join(directory, 'secrets'));
    await writeFile(file, 'old\n', { mode: 0o600 });
    await chown(file, 4242, 4242);
    await where.put('matrix.accessToken', new Secret('new'));
    expect(await stat(file)).toMatchObject({ uid: 4242, gid: 4242 });
    // A directory that it has to make is the bot's as well.
    await chown(directory, 4242, 4242);
    const elsewhere = await places('matrix: { accessToken: { file: ./elsewhere/token } }');
    await elsewhere.put('matrix.accessToken', new Secret('new'));
    expect(await stat(join(directory, 'elsewhere'))).toMatchObject({ uid: 4242, gid: 4242 });
    expect(await stat(join(directory, 'elsewhere', 'token'))).toMatchObject({ uid: 4242, gid: 4242 });
  });

  test('what cannot be written leaves what was there', async () => {
    const where = await places('matrix: { accessToken: { file: ./secrets } }');
    await mkdir(join(directory, 'secrets', 'full'), { recursive: true });
    await expect(where.put('matrix.accessToken', new Secret('new'))).rejects.toMatchObject({
      kind: 'unavailable',
      message: /Cannot write .*What was there is as it was/,
    });
  });
});

describe('before anything is looked at', () => {
  const run = (argv: string[]): Promise<number> =>
    mend(argv, { input: new PassThrough().end(), output: new PassThrough(), stop: new AbortController().signal });

  test.each([[['--settings', 'none.yaml', '--force']], [['what']], [['--settings', '/nowhere/opsroom.yaml']]])(
    '%j is wrong usage',
    async (argv) => expect(run(argv)).rejects.toMatchObject({ kind: 'invalid' }),
  );

  test('a homeserver that is down is said, and nothing else is tried', async () => {
    await writeFile(join(directory, 'token'), 'syt_x\n', { mode: 0o600 });
    await writeFile(
      settings,
      `matrix: { homeserverUrl: 'http://127.0.0.1:9', userId: '@bot:x.org', accessToken: { file: ./token }, opsRoom: '!r:x.org' }
people: [{ user: '@a:x.org', role: owner }]
synapse: { url: 'http://127.0.0.1:9', adminToken: { file: ./token } }
`,
    );
    const output = new PassThrough();
    let text = '';
    output.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const streams = { input: new PassThrough().end(), output, stop: new AbortController().signal };
    expect(await mend(['--settings', settings, '--yes'], streams)).toBe(1);
    expect(text).toMatch(
      /✘ homeserver: .*cannot be reached[^]*– admin token: not looked at, the homeserver comes first/,
    );
    expect(text).toMatch(/What is left for you:\n1\. Is Synapse running/);
  });
});
