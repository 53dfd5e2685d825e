// The name that Node's `util.inspect` looks for; `node:util` itself is no business of the domain.
const inspectName = Symbol.for('nodejs.util.inspect.custom');

/** A password or token. It prints as `<secret>` wherever it ends up by mistake; only `reveal()` gives it away. */
export class Secret {
  readonly #value: string;
  readonly #file: string | undefined;

  constructor(value: string, file?: string) {
    this.#value = value;
    this.#file = file;
  }

  /** Where it was read from, when that is a file: a new one goes there too. */
  get file(): string | undefined {
    return this.#file;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '<secret>';
  }

  toJSON(): string {
    return '<secret>';
  }

  [inspectName](): string {
    return '<secret>';
  }
}
