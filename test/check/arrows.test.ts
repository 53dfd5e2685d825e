import { describe, expect, it } from 'vitest';
import { type ImportHow, wrongImport } from './arrows.ts';

type Case = [file: string, specifier: string, said: string | undefined, how?: ImportHow];

const wrong: Case[] = [
  ['src/domain/runs.ts', '#engine/door.ts', 'domain must not import engine'],
  ['src/domain/runs.ts', '../engine/door.ts', 'domain must not import engine'],
  ['src/domain/runs.ts', '../../storage/open.ts', 'domain must not import storage'],
  ['src/domain/runs.ts', 'node:fs', 'domain must not import node:fs'],
  ['src/domain/runs.ts', 'node:timers/promises', 'domain must not import node:timers/promises'],
  ['src/domain/runs.ts', 'yaml', 'domain must not import the package yaml'],
  ['src/domain/runs.ts', '#test/fakes/clock.ts', 'it is not part of the program'],
  ['src/engine/door.ts', '#commands/disable.ts', 'engine must not import commands'],
  ['src/engine/door.ts', '#procedures/take-out.ts', 'engine must not import procedures'],
  ['src/engine/door.ts', '#storage/ledger.ts', 'engine must not import storage'],
  ['src/engine/door.ts', '#src/settings.ts', 'engine must not import settings'],
  ['src/procedures/take-out.ts', './backup-set.ts', 'procedures must not import procedures'],
  ['src/procedures/take-out.ts', '#adapters/synapse/open.ts', 'procedures must not import adapters'],
  ['src/commands/enable.ts', './disable.ts', 'commands must not import commands'],
  ['src/commands/backup/now.ts', '#jobs/backup.ts', 'commands must not import jobs'],
  ['src/checks/disk.ts', '#adapters/system/disks.ts', 'checks must not import adapters'],
  ['src/jobs/backup.ts', '../commands/backup/now.ts', 'jobs must not import commands'],
  ['src/adapters/matrix/open.ts', '#engine/door.ts', 'adapters must not import engine'],
  ['src/adapters/matrix/open.ts', '../synapse/open.ts', 'adapters/matrix must not import adapters/synapse'],
  ['src/adapters/synapse/open.ts', 'matrix-bot-sdk', 'adapters/synapse must not import the package matrix-bot-sdk'],
  ['src/adapters/http/open.ts', 'livekit-server-sdk', 'adapters/http must not import the package livekit-server-sdk'],
  ['src/adapters/http/open.ts', 'pino', 'adapters/http must not import the package pino'],
  ['src/adapters/postgres/open.ts', 'better-sqlite3', 'adapters/postgres must not import the package better-sqlite3'],
  ['storage/ledger.ts', '#engine/ports.ts', 'storage must not import engine'],
  ['storage/ledger.ts', 'postgres', 'storage must not import the package postgres'],
  ['src/settings.ts', '#adapters/matrix/open.ts', 'settings may import only settings.ts of an adapter'],
  ['src/app.ts', '#sandbox/stack.ts', 'app must not import sandbox', 'dynamic'],
  ['src/app.ts', 'better-sqlite3', 'app must not import the package better-sqlite3'],
  ['src/main.ts', '#sandbox/run.ts', 'main reaches the sandbox by a dynamic import only: it is not in the image'],
  ['src/main.ts', '#adapters/matrix/open.ts', 'main must not import adapters'],
  ['src/main.ts', '#storage/open.ts', 'main must not import storage'],
  ['src/sandbox/run.ts', '#storage/open.ts', 'sandbox must not import storage'],
  ['src/extra/runs.ts', '#domain/runs.ts', 'src/extra/runs.ts has no place in the picture'],
  ['src/parts.ts', './main.ts', 'app must not import main'],
];

const right: Case[] = [
  ['src/domain/runs.ts', './clock.ts', undefined],
  ['src/domain/runs.ts', 'zod', undefined],
  ['src/domain/canonical.ts', 'node:crypto', undefined],
  ['src/engine/door.ts', '#domain/runs.ts', undefined],
  ['src/engine/parse.ts', 'yargs-parser', undefined],
  ['src/commands/backup/now.ts', '#procedures/backup-set.ts', undefined],
  ['src/adapters/matrix/open.ts', './sync/loop.ts', undefined],
  ['src/adapters/matrix/open.ts', 'matrix-bot-sdk/lib/models.js', undefined],
  ['src/adapters/postgres/open.ts', 'node:child_process', undefined],
  ['storage/ledger.ts', 'better-sqlite3', undefined],
  ['src/settings.ts', '#adapters/matrix/settings.ts', undefined],
  ['src/app.ts', '#adapters/matrix/open.ts', undefined],
  ['src/app.ts', './parts.ts', undefined],
  ['src/main.ts', './app.ts', undefined],
  ['src/main.ts', '#adapters/system/log.ts', undefined],
  ['src/main.ts', '#sandbox/run.ts', undefined, 'dynamic'],
  ['test/unit/x.test.ts', '#storage/open.ts', undefined],
];

describe('arrows', () => {
  it.each(wrong)('%s -> %s: %s', (file, specifier, said, how = 'static') => {
    const found = wrongImport(file, specifier, how);
    if (said === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(said);
  });
  it.each(right)('%s -> %s is right', (file, specifier, _, how = 'static') => {
    expect(wrongImport(file, specifier, how)).toBeUndefined();
  });
});
