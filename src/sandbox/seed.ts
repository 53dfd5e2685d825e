import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OpsError } from '#domain/errors.ts';
import { exists } from './install/cache.ts';
import { applicationSql } from './seed/application.ts';
import { furnish } from './seed/furnish.ts';
import { limitSending } from './seed/limit.ts';
import type { Stack } from './stack.ts';
import { writePrivate } from './state.ts';
import type { Session } from './synapse-client.ts';
import { halfSeededFile, seededFile } from './template.ts';

export type SeededAccount = Session & { password: string };
export type SeededPerson = SeededAccount & { localpart: string; name: string; applicationId: string };
export type SeededRoom = { alias: string; name: string; roomId: string; members: string[] };

/** Who and what is there, with the tokens and passwords of everybody: kept in a file of mode 0600 in the run directory. */
export type Seeded = {
  serverName: string;
  /** By localpart: alice, bob, carol and mallory among them. */
  people: Record<string, SeededPerson>;
  bot: SeededAccount;
  admin: { userId: string; token: string };
  opsRoom: { roomId: string; alias: string };
  rooms: SeededRoom[];
  /** Direct chats by localpart. */
  directs: Record<string, string[]>;
  malloryPhone: Session;
  /** Mallory alone is in it. */
  soleRoomId: string;
  ghostUserId: string;
  suspendedUserId: string;
  /** Who should be in the running call, as LiveKit identities, and the Matrix room it belongs to. */
  call: { roomId: string; identities: string[] };
};

export type SeedOptions = {
  /** Off: the bot's account sends under Synapse's default limit. */
  liftBotLimit?: boolean;
};

/** Makes the place look lived in, once per run directory. */
export async function seed(stack: Stack, log: (line: string) => void, options: SeedOptions = {}): Promise<Seeded> {
  const file = join(stack.dir, seededFile);
  const seeded = (await exists(file)) ? await readSeeded(file) : await seedNow(stack, log);
  await limitSending(stack.synapse, seeded.admin.userId, true);
  await limitSending(stack.synapse, seeded.bot.userId, options.liftBotLimit ?? true);
  return seeded;
}

async function readSeeded(file: string): Promise<Seeded> {
  return JSON.parse(await readFile(file, 'utf8')) as Seeded;
}

async function seedNow(stack: Stack, log: (line: string) => void): Promise<Seeded> {
  const begun = join(stack.dir, halfSeededFile);
  if (await exists(begun)) {
    throw new OpsError('conflict', `Seeding ${stack.dir} was cut off before, so it holds half a place.`, {
      hint: 'Open it with `seeded`, which begins again, or remove the directory.',
    });
  }
  log('furnishing the place with people, rooms and messages (a few seconds, once)');
  const began = performance.now();
  await writeFile(begun, '');
  const seeded = await furnish(stack);
  const role = new URL(stack.postgres.appUrl);
  await stack.sql('app', applicationSql(seeded), { name: role.username, password: role.password });
  await writePrivate(join(stack.dir, seededFile), `${JSON.stringify(seeded, null, 2)}\n`);
  await rm(begun);
  await stack.publishSeeded();
  log(`furnished (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  return seeded;
}
