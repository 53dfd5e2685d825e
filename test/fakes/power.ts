/** A running process: while it is on, calls pass; once it is cut, nothing that it still holds reaches the world. */
export class Power {
  on = true;
  /** While set, every write of the memory fails with it, as on a full disk. */
  refuses: Error | undefined;
  /** How many writes of the memory there were. */
  writes = 0;
  readonly #cutAt: { write: number; when: 'before' | 'after' } | undefined;

  constructor(cutAt?: { write: number; when: 'before' | 'after' }) {
    this.#cutAt = cutAt;
  }

  cut(): void {
    this.on = false;
  }

  /** The memory: a write may be the last thing that happens, or the first that doesn't. */
  memory<T extends object>(ledger: T, writes: ReadonlySet<string>): T {
    return forward(ledger, (name, call) => {
      if (!this.on) throw new PowerCut();
      if (!writes.has(name)) return call();
      if (this.refuses) throw this.refuses;
      this.writes += 1;
      const last = this.#cutAt?.write === this.writes;
      if (last && this.#cutAt.when === 'before') this.#end();
      const result = call();
      if (last) this.#end();
      return result;
    });
  }

  /** The outside: a call of a dead process is never made, and one that it made is never answered. */
  outside<T extends object>(port: T): T {
    return forward(port, (_name, call) => {
      if (!this.on) return new Promise(() => {});
      const result = call();
      return result instanceof Promise
        ? result.then((value: unknown) => (isPort(value) ? this.outside(value) : value))
        : result;
    });
  }

  #end(): never {
    this.cut();
    throw new PowerCut();
  }
}

export class PowerCut extends Error {}

const isPort = (value: unknown): value is object => {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const kind: unknown = Object.getPrototypeOf(value);
  return kind !== Object.prototype && kind !== Map.prototype && kind !== Set.prototype && kind !== null;
};

function forward<T extends object>(target: T, through: (name: string, call: () => unknown) => unknown): T {
  return new Proxy(target, {
    get(object, property): unknown {
      const value: unknown = Reflect.get(object, property);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => through(String(property), () => Reflect.apply(value, object, args));
    },
  });
}
