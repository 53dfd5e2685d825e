import type { Seeded } from '../seed.ts';
import { people } from './people.ts';
import { projects } from './rooms.ts';

/** The stand-in for the owner's application: the tables that the operations guide speaks of. */
export function applicationSql(seeded: Seeded): string[] {
  return [
    'BEGIN;',
    'DROP TABLE IF EXISTS "MatrixCredential", "ProjectMember", "Project", "User";',
    `CREATE TABLE "User" (id text PRIMARY KEY, "matrixId" text UNIQUE, name text NOT NULL, email text UNIQUE NOT NULL,
       status text NOT NULL CHECK (status IN ('ACTIVE', 'SUSPENDED', 'ONBOARDING')),
       "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL DEFAULT now());`,
    'CREATE TABLE "Project" (id text PRIMARY KEY, name text NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());',
    `CREATE TABLE "ProjectMember" ("userId" text NOT NULL REFERENCES "User"(id) ON DELETE CASCADE,
       "projectId" text NOT NULL REFERENCES "Project"(id) ON DELETE CASCADE, role text NOT NULL DEFAULT 'MEMBER',
       "joinedAt" timestamptz NOT NULL DEFAULT now(), PRIMARY KEY ("userId", "projectId"));`,
    `CREATE TABLE "MatrixCredential" (id text PRIMARY KEY, "userId" text NOT NULL REFERENCES "User"(id) ON DELETE CASCADE,
       token text NOT NULL, "deviceId" text NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());`,
    ...people.map(({ localpart, name, status }) => {
      const matrixId = status === 'ONBOARDING' ? 'NULL' : text(seeded.people[localpart]!.userId);
      const row = [
        text(applicationId(localpart)),
        matrixId,
        text(name),
        text(`${localpart}@example.org`),
        text(status),
      ];
      return `INSERT INTO "User" (id, "matrixId", name, email, status) VALUES (${row.join(', ')});`;
    }),
    ...projects.map(({ id, name }) => `INSERT INTO "Project" (id, name) VALUES (${text(id)}, ${text(name)});`),
    ...projects.flatMap(({ id, members }) =>
      members.map((member, index) => {
        const row = [text(applicationId(member)), text(id), text(index === 0 ? 'OWNER' : 'MEMBER')];
        return `INSERT INTO "ProjectMember" ("userId", "projectId", role) VALUES (${row.join(', ')});`;
      }),
    ),
    // Who was suspended or hasn't finished onboarding has none.
    ...people
      .filter(({ status }) => status === 'ACTIVE')
      .map(({ localpart }) => {
        const { token, deviceId } = seeded.people[localpart]!;
        const row = [text(`crd_${localpart}`), text(applicationId(localpart)), text(token), text(deviceId)];
        return `INSERT INTO "MatrixCredential" (id, "userId", token, "deviceId") VALUES (${row.join(', ')});`;
      }),
    'COMMIT;',
  ];
}

export function applicationId(localpart: string): string {
  return `usr_${localpart}`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
