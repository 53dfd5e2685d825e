import type { AccountFilter, AccountSummary } from '#domain/accounts.ts';
import type { Query, SynapseApi } from './admin-api.ts';
import { accountsAnswer, toSummary } from './answers.ts';

type Page = { accounts: AccountSummary[]; total: number; next: number | undefined };

const defaultLimit = 100;

/**
 * Pages through the accounts, by name: the other orders have no index. `locked=true` and `guests=false` always: locked
 * accounts are hidden otherwise, and the default `guests=true` is a 400 under delegated authentication.
 */
export async function listAccounts(api: SynapseApi, filter: AccountFilter): Promise<Page> {
  if (filter.locked === true) return listLocked(api, filter);
  return fetchPage(api, queryOf(filter, filter.from ?? 0, filter.limit ?? defaultLimit));
}

/** Synapse can't list only the locked ones. Ordered by that flag they come first, and they are few. */
async function listLocked(api: SynapseApi, filter: AccountFilter): Promise<Page> {
  const locked: AccountSummary[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page: Page = await fetchPage(api, { ...queryOf(filter, from, defaultLimit), order_by: 'locked', dir: 'b' });
    const found = page.accounts.filter((account) => account.locked);
    locked.push(...found);
    from = found.length === page.accounts.length ? page.next : undefined;
  }
  const start = filter.from ?? 0;
  const end = start + (filter.limit ?? defaultLimit);
  return { accounts: locked.slice(start, end), total: locked.length, next: end < locked.length ? end : undefined };
}

async function fetchPage(api: SynapseApi, query: Query): Promise<Page> {
  const { data } = await api.call({
    method: 'GET',
    path: '/_synapse/admin/v3/users',
    query,
    answer: accountsAnswer,
    doing: 'list the accounts',
  });
  const next = data.next_token == null ? undefined : Number(data.next_token);
  return { accounts: data.users.map(toSummary), total: data.total, next };
}

function queryOf(filter: AccountFilter, from: number, limit: number): Query {
  const { text } = filter;
  // `name` matches localparts and display names; a whole id is only found by `user_id`.
  const search = text === undefined || text === '' ? {} : text.startsWith('@') ? { user_id: text } : { name: text };
  return {
    ...search,
    guests: false,
    locked: filter.locked ?? true,
    deactivated: filter.deactivated,
    admins: filter.admins,
    order_by: 'name',
    from,
    limit,
  };
}
