import { z } from 'zod';
import { filePath, oneOf, secret, sqlColumn, sqlTable, wholeNumber } from '#domain/setting.ts';

const text = (what: string, example: string) =>
  z.string({ error: 'must be a text' }).min(1, 'must not be empty').meta({ description: what, example });

export const settings = z
  .strictObject({
    host: text('Host name, address, or the directory of the socket.', '127.0.0.1'),
    port: wholeNumber(1, 65_535).default(5432).describe('Port.'),
    database: text("Synapse's database.", 'synapse'),
    user: text(
      'Role that may read all of it and delete from open_id_tokens; for verifying backups also CREATEDB.',
      'synapse',
    ),
    password: secret()
      .optional()
      .meta({
        description: "The role's password. Without it the server must trust the connection.",
        example: { file: './secrets/pg-password' },
      }),
    via: oneOf(['direct']).default('direct').describe('How it is reached.'),
    binDirectory: filePath()
      .optional()
      .describe('Where pg_dump and pg_restore are, if not on the PATH or in /usr/lib/postgresql/*/bin.'),
    scratch: z
      .strictObject({
        host: z.string({ error: 'must be a text' }).optional().describe('Its host.'),
        port: wholeNumber(1, 65_535).optional().describe('Its port.'),
        user: z.string({ error: 'must be a text' }).optional().describe('Role that may create databases.'),
        password: secret().optional().describe("The role's password."),
        maintenance: z
          .string({ error: 'must be a text' })
          .optional()
          .describe('Database to be connected to while others are made and dropped.'),
      })
      .optional()
      .describe('Where backups are restored to be counted, if not on the same server. What is left out is as above.'),
  })
  .describe("Synapse's database: its health, its backups.");

const column = (what: string, example: string) => sqlColumn().meta({ description: what, example });
const table = (what: string, example: string) => sqlTable().meta({ description: what, example });

export const roster = z
  .strictObject({
    kind: oneOf(['postgres']).describe('Where the application keeps its people.'),
    url: secret().meta({
      description: "postgres:// address of the application's database, with user and password.",
      example: { file: './secrets/app-db-url' },
    }),
    users: z
      .strictObject({
        table: table('Table of the people.', '"User"'),
        id: column('Its key.', 'id'),
        matrixId: column('The Matrix user id.', 'matrixUserId'),
        status: column('Who may use the application.', 'status'),
        active: text('Value of someone who may.', 'ACTIVE'),
        suspended: text('Value that disable sets.', 'SUSPENDED'),
        onboarding: text('Value that enable sets: they set themselves up again.', 'ONBOARDING'),
      })
      .describe('The people.'),
    memberships: z
      .strictObject({
        table: table('Table of who is in which project.', '"ProjectMember"'),
        user: column('Key of the person.', 'userId'),
        project: column('Key of the project.', 'projectId'),
      })
      .optional()
      .describe('The projects they are in.'),
    credentials: z
      .strictObject({
        table: table('Table of the stored Matrix credentials.', '"MatrixCredential"'),
        user: column('Key of the person.', 'userId'),
      })
      .optional()
      .describe('Their stored Matrix credentials.'),
  })
  .describe("The owner's application: who is active, who is in which project.");
