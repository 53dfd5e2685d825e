import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Reply = { status: number; body?: unknown; headers?: Record<string, string> } | 'hang' | 'drop';

/** Answers as a test says: for what a healthy Synapse never does. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #replies: Reply[];

  private constructor(replies: Reply[]) {
    this.#replies = replies;
  }

  /** The last reply is given again and again. */
  static async open(...replies: Reply[]): Promise<ScriptedServer> {
    const scripted = new ScriptedServer(replies);
    await new Promise<void>((resolve) => scripted.#server.listen(0, '127.0.0.1', resolve));
    return scripted;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const reply = this.#replies[Math.min(this.requests.length, this.#replies.length - 1)] ?? 'hang';
    this.requests.push(`${request.method} ${request.url}`);
    request.resume();
    if (reply === 'hang') return;
    if (reply === 'drop') {
      response.destroy();
      return;
    }
    const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {});
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
