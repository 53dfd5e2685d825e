import type { Socket } from 'node:net';
import { OpsError } from '#domain/errors.ts';

const longestLine = 64 * 1024;

/** JSON values over a socket, one a line. A line that is too long or no JSON ends it with `invalid`. */
export class Lines {
  readonly #socket: Socket;
  readonly #values: AsyncGenerator;

  constructor(socket: Socket) {
    this.#socket = socket;
    // A peer that went away shows as the end of the lines.
    socket.on('error', () => socket.destroy());
    this.#values = valuesOf(socket);
  }

  /** Undefined at the end. */
  async next(): Promise<unknown> {
    const { value, done } = await this.#values.next();
    return done === true ? undefined : value;
  }

  put(value: object): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(value)}\n`);
  }

  end(last?: object): void {
    if (last !== undefined) this.put(last);
    this.#socket.end();
  }
}

async function* valuesOf(socket: Socket): AsyncGenerator {
  let rest = '';
  socket.setEncoding('utf8');
  try {
    for await (const piece of socket as AsyncIterable<string>) {
      rest += piece;
      for (let end = rest.indexOf('\n'); end !== -1; end = rest.indexOf('\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        yield parse(line);
      }
      if (rest.length > longestLine) throw new OpsError('invalid', 'What came through the door is too long.');
    }
  } catch (error) {
    if (error instanceof OpsError) throw error;
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new OpsError('invalid', 'What came through the door is not of this protocol.');
  }
}
