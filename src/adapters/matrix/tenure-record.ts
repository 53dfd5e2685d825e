import { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import { asOpsError } from '#domain/errors.ts';
import type { Tenure, TenureRecord } from '#domain/tenure.ts';
import type { Request } from './client.ts';

const type = 'org.opsroom.tenure';
const shape = z.object({ epoch: z.int().min(0), holder: z.string(), host: z.string(), at: z.number() });

/** In the account data of the bot: only its own sessions see it. */
export class AccountTenureRecord implements TenureRecord {
  readonly #request: Request;
  readonly #path: string;

  constructor(request: Request, bot: UserId) {
    this.#request = request;
    this.#path = `/_matrix/client/v3/user/${encodeURIComponent(bot)}/account_data/${type}`;
  }

  async read(): Promise<Tenure | undefined> {
    try {
      const found = shape.safeParse(await this.#request('GET', this.#path));
      return found.success ? found.data : undefined;
    } catch (error) {
      if (asOpsError(error).kind === 'notFound') return undefined;
      throw error;
    }
  }

  async write(tenure: Tenure): Promise<void> {
    await this.#request('PUT', this.#path, null, tenure);
  }
}
