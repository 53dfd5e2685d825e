import type { SessionsDatabase, UserId } from '#domain/accounts.ts';
import { Database, type DatabaseSettings } from './connect.ts';

/** Synapse's own database, for what no call of its API does. */
export class SynapseSessionsDatabase implements SessionsDatabase, AsyncDisposable {
  readonly #database: Database;

  constructor(settings: DatabaseSettings) {
    this.#database = new Database("Synapse's database", settings);
  }

  async forgetOpenIdTokens(user: UserId): Promise<number> {
    return this.#database.write(`delete the OpenID tokens of ${user}`, async (sql) => {
      const result = await sql`delete from open_id_tokens where user_id = ${user}`;
      return result.count;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}
