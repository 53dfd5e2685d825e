import { setImmediate as turn } from 'node:timers/promises';
import * as indexed from 'fake-indexeddb';

// The crypto library keeps its keys in IndexedDB and nowhere else. Here that is fake-indexeddb, which lives in memory;
// what changes in it is noted, so that the key store can write it to disk. Its databases, stores and records are plain
// fields behind the official face.

/** Records as they lie in a store: the key is text, a number or a list of them. */
export type Key = string | number | Key[];
export type RawStore = {
  name: string;
  keyPath: string | string[] | null;
  autoIncrement: boolean;
  rawIndexes: Map<string, { name: string; keyPath: string | string[]; multiEntry: boolean; unique: boolean }>;
  records: {
    get(key: Key): { key: Key; value: unknown } | undefined;
    values(): Iterable<{ key: Key; value: unknown }>;
  };
  storeRecord(record: { key: Key; value: unknown }, ...rest: unknown[]): Key;
  deleteRecord(key: unknown, ...rest: unknown[]): void;
  clear(...rest: unknown[]): void;
};
export type RawDatabase = {
  name: string;
  version: number;
  rawObjectStores: Map<string, RawStore>;
  transactions: Array<{ mode: string; _state: string }>;
};

/** What a database is made of, but for its records. */
export type Shape = Array<{
  name: string;
  keyPath: string | string[] | null;
  autoIncrement: boolean;
  indexes: Array<{ name: string; keyPath: string | string[]; multiEntry: boolean; unique: boolean }>;
}>;

type Opening = {
  addEventListener(type: 'success' | 'error' | 'upgradeneeded', listener: () => void): void;
  result: {
    createObjectStore(
      name: string,
      options: object,
    ): { createIndex(name: string, keyPath: string | string[], options: object): void };
    close(): void;
  };
};
type Factory = {
  _databases: Map<string, RawDatabase>;
  open(name: string, version: number): Opening;
};

const names = [
  'IDBCursor',
  'IDBCursorWithValue',
  'IDBDatabase',
  'IDBFactory',
  'IDBIndex',
  'IDBKeyRange',
  'IDBObjectStore',
  'IDBOpenDBRequest',
  'IDBRequest',
  'IDBTransaction',
  'IDBVersionChangeEvent',
  'indexedDB',
] as const;

/** The crypto library looks for IndexedDB where a browser has it. */
export function offerIndexedDb(): void {
  const classes = indexed as unknown as Record<string, unknown>;
  for (const name of names) {
    if (name in globalThis) continue;
    Object.defineProperty(globalThis, name, { value: classes[name], configurable: true, writable: true });
  }
}

const factory = (): Factory => indexed.indexedDB as Factory;

export const databasesOf = (prefix: string): RawDatabase[] =>
  [...factory()._databases.values()].filter(({ name }) => name.startsWith(prefix));

export function forget(prefix: string): void {
  for (const { name } of databasesOf(prefix)) factory()._databases.delete(name);
}

export const shapeOf = (database: RawDatabase): Shape =>
  [...database.rawObjectStores.values()].map(({ name, keyPath, autoIncrement, rawIndexes }) => ({
    name,
    keyPath,
    autoIncrement,
    indexes: [...rawIndexes.values()].map((index) => ({
      name: index.name,
      keyPath: index.keyPath,
      multiEntry: index.multiEntry,
      unique: index.unique,
    })),
  }));

/** An empty database of that shape. */
export async function makeDatabase(name: string, version: number, shape: Shape): Promise<RawDatabase> {
  const opening = factory().open(name, version);
  const opened = Promise.withResolvers<void>();
  opening.addEventListener('upgradeneeded', () => {
    for (const store of shape) {
      const made = opening.result.createObjectStore(store.name, {
        keyPath: store.keyPath,
        autoIncrement: store.autoIncrement,
      });
      for (const { name: index, keyPath, ...options } of store.indexes) made.createIndex(index, keyPath, options);
    }
  });
  opening.addEventListener('success', () => opened.resolve());
  opening.addEventListener('error', () => opened.reject(new Error(`the database ${name} cannot be made in memory`)));
  await opened.promise;
  opening.result.close();
  return factory()._databases.get(name)!;
}

/** Calls `changed` for each key that is written or deleted from now on; undefined: all keys of that store. */
export function watchStore(store: RawStore, changed: (key: Key | undefined) => void): void {
  const { storeRecord, deleteRecord, clear } = store;
  store.storeRecord = (...args) => {
    const key = storeRecord.apply(store, args);
    changed(key);
    return key;
  };
  store.deleteRecord = (key, ...rest) => {
    deleteRecord.call(store, key, ...rest);
    changed(typeof key === 'string' || typeof key === 'number' || Array.isArray(key) ? (key as Key) : undefined);
  };
  store.clear = (...args) => {
    clear.apply(store, args);
    changed(undefined);
  };
}

const mostTurns = 100_000;

/** Until no transaction that writes is under way. */
export async function settled(prefix: string): Promise<void> {
  for (let turns = 0; turns < mostTurns; turns += 1) {
    const busy = databasesOf(prefix).some(({ transactions }) =>
      transactions.some(({ mode, _state }) => mode !== 'readonly' && _state !== 'finished'),
    );
    if (!busy) return;
    await turn();
  }
  throw new Error('a transaction of the crypto library does not end');
}
