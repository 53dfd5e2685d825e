import { isIP } from 'node:net';
import { connect } from 'node:tls';
import { OpsError } from '#domain/errors.ts';
import type { CertificateReading, Certificates } from '#domain/probes.ts';
import { networkCode } from './endpoint.ts';

/** `host:port` of every https and wss address, each once. */
export const tlsHosts = (urls: readonly string[]): string[] => [
  ...new Set(
    urls
      .map((url) => new URL(url))
      .filter(({ protocol }) => protocol === 'https:' || protocol === 'wss:')
      .map(({ hostname, port }) => `${hostname}:${port || '443'}`),
  ),
];

function split(host: string): { name: string; port: number } {
  const colon = host.lastIndexOf(':');
  return { name: host.slice(0, colon).replaceAll(/^\[|\]$/g, ''), port: Number(host.slice(colon + 1)) };
}

/** Certificates as a client gets them: by a handshake. */
export class TlsCertificates implements Certificates {
  readonly hosts: readonly string[];
  readonly #ca: string | undefined;

  /** `ca`: PEM of authorities beside those of Node. */
  constructor(hosts: readonly string[], ca?: string) {
    this.hosts = [...new Set(hosts)];
    this.#ca = ca;
  }

  read(host: string, signal: AbortSignal): Promise<CertificateReading> {
    const { name, port } = split(host);
    const { promise, resolve, reject } = Promise.withResolvers<CertificateReading>();
    const socket = connect({
      host: name,
      port,
      ...(isIP(name) ? {} : { servername: name }),
      ...(this.#ca === undefined ? {} : { ca: this.#ca }),
      // The verdict is read below; refusing here would hide the date of an expired one.
      rejectUnauthorized: false,
    });
    const abort = () => socket.destroy(new Error('timed out'));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const validUntil = Date.parse(certificate.valid_to ?? '');
      const error = socket.authorizationError as (Error & { code?: string }) | string | undefined;
      if (Number.isNaN(validUntil)) reject(new OpsError('unavailable', `${host} shows no certificate.`));
      else
        resolve({ validUntil, refusedBecause: error ? String((error as { code?: string }).code ?? error) : undefined });
      socket.destroy();
    });
    socket.once('error', (cause) => {
      const code = networkCode(cause);
      reject(new OpsError('unavailable', `No TLS handshake with ${host}${code ? ` (${code})` : ''}.`, { cause }));
    });
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }
}
