import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OpsError } from '#domain/errors.ts';
import type { Log } from '#domain/log.ts';
import { Scrubber } from '#domain/scrubber.ts';

export type Answer = { status: number; body: string; type?: string; headers?: Record<string, string> };
export type Asked = { headers: IncomingMessage['headers']; body: Buffer };
export type Route = {
  method: 'GET' | 'POST';
  /** Before the body is read: an answer refuses it. */
  guard?: (headers: IncomingMessage['headers']) => Answer | undefined;
  /** Told when a body is larger than the limit and was refused. */
  tooLarge?: (bytes: number) => void;
  answer(asked: Asked): Answer | Promise<Answer>;
};

export type HttpLimits = { bodyBytes: number; openBytes: number; idleMs: number };
/**
 * One body; all bodies being read at once, above which senders are told to come back; how long a client may take. With
 * the look at the clock twice a second, whoever dawdles is cut off within 10 s.
 */
export const defaultLimits: HttpLimits = { bodyBytes: 32 * 1024 ** 2, openBytes: 96 * 1024 ** 2, idleMs: 9000 };
export const lookEveryMs = 500;

export const text = (status: number, body: string, headers?: Record<string, string>): Answer => ({
  status,
  body: `${body}\n`,
  ...(headers ? { headers } : {}),
});
export const json = (status: number, value: unknown): Answer => ({
  status,
  body: `${JSON.stringify(value)}\n`,
  type: 'application/json',
});

export type HttpServer = { url: string; port: number; [Symbol.asyncDispose](): Promise<void> };

/** Listens and hands each request to its route. Throws `misconfigured` when the address can't be had. */
export async function openHttpServer(options: {
  listen: { host: string; port: number };
  routes: ReadonlyMap<string, Route>;
  log: Log;
  limits?: HttpLimits;
  scrubber?: Scrubber;
}): Promise<HttpServer> {
  const { listen, routes, log, limits = defaultLimits, scrubber = new Scrubber() } = options;
  const desk = new Reception({ routes, limits, log, scrubber });
  const server = createServer(
    {
      headersTimeout: limits.idleMs,
      requestTimeout: limits.idleMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(lookEveryMs, limits.idleMs),
    },
    (request, response) => void desk.receive(request, response),
  );
  // A connection on which nothing was asked yet has none of the limits above.
  server.timeout = limits.idleMs;
  await listening(server, listen);
  const { port } = server.address() as AddressInfo;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return {
    url: `http://${host}:${port}`,
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        // What is being answered may finish; a client that dawdles is cut off.
        setTimeout(() => server.closeAllConnections(), 2000).unref();
      }),
  };
}

function listening(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'another program is using it' : (cause.code ?? cause.message);
      const message = `Cannot listen on ${host}:${port}: ${why}. Webhooks and metrics are not served.`;
      reject(
        new OpsError('misconfigured', message, {
          hint: 'Set another address in http.listen, or stop the other program.',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

class Reception {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #limits: HttpLimits;
  readonly #log: Log;
  readonly #scrubber: Scrubber;
  #openBytes = 0;

  constructor(parts: { routes: ReadonlyMap<string, Route>; limits: HttpLimits; log: Log; scrubber: Scrubber }) {
    this.#routes = parts.routes;
    this.#limits = parts.limits;
    this.#log = parts.log;
    this.#scrubber = parts.scrubber;
  }

  async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      if (request.destroyed && !request.complete) return;
      this.#log.error({ path: pathOf(request), error }, 'a request failed');
      answer = text(500, 'Internal error.');
    }
    // What wasn't read of the body can't be told from a next request, so the connection ends with the answer.
    if (!request.complete) response.setHeader('connection', 'close');
    const body = Buffer.from(this.#scrubber.text(answer.body));
    response.writeHead(answer.status, {
      'content-type': answer.type ?? 'text/plain; charset=utf-8',
      'content-length': body.length,
      ...answer.headers,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
    if (!request.complete) response.once('finish', () => request.destroy());
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const route = this.#routes.get(pathOf(request));
    if (route === undefined) return text(404, 'There is nothing here.');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method !== route.method) return text(405, `Use ${route.method}.`, { allow: route.method });
    const refused = route.guard?.(request.headers);
    if (refused !== undefined) return refused;
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > this.#limits.bodyBytes) return this.#tooLarge(route, declared);
    if (this.#openBytes + declared > this.#limits.openBytes) return busy();
    return this.#withBody(request, route);
  }

  async #withBody(request: IncomingMessage, route: Route): Promise<Answer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        this.#openBytes += chunk.length;
        if (bytes > this.#limits.bodyBytes) return this.#tooLarge(route, bytes);
        if (this.#openBytes > this.#limits.openBytes) return busy();
        chunks.push(chunk);
      }
      return await route.answer({ headers: request.headers, body: Buffer.concat(chunks) });
    } finally {
      this.#openBytes -= bytes;
    }
  }

  #tooLarge(route: Route, bytes: number): Answer {
    route.tooLarge?.(bytes);
    return text(413, `More than ${this.#limits.bodyBytes} bytes. Nothing was stored.`);
  }
}

const busy = (): Answer => text(503, 'Busy; nothing was stored. Send it again.', { 'retry-after': '5' });
const pathOf = (request: IncomingMessage): string => (request.url ?? '/').replace(/[?#].*$/s, '');
