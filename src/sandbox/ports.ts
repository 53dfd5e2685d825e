import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { OpsError } from '#domain/errors.ts';

export const portNames = [
  'synapse',
  'synapseMetrics',
  'postgres',
  'livekit',
  'livekitTcp',
  'livekitMetrics',
  'livekitUdp',
  'prometheus',
  'alertmanager',
  'bot',
] as const;
export type PortName = (typeof portNames)[number];
export type PortMap = Record<PortName, number>;

/** Below Linux' ephemeral range (32768 and up): no outgoing connection takes a port between the test and its use. */
const lowest = 20_000;
const highest = 32_000;
const blockSize = 24;

/**
 * A block of ports on 127.0.0.1 that belongs to this process: its first port is held open as long as the block is in use,
 * so another stack that draws the same block fails on it and draws again; the kernel lets go when the holder dies.
 */
export interface Ports extends AsyncDisposable {
  readonly base: number;
  readonly map: PortMap;
  /** Moves parts to other ports of the block, after a stranger took theirs. */
  renew(names: readonly PortName[]): Promise<void>;
}

export async function claimPorts(remembered?: { base: number; map: PortMap }): Promise<Ports> {
  const blocks = Math.floor((highest - lowest) / blockSize);
  const first = Math.floor(Math.random() * blocks);
  const bases = Array.from({ length: blocks }, (_, index) => lowest + ((first + index * 7) % blocks) * blockSize);
  if (remembered) bases.unshift(remembered.base);
  for (const base of bases) {
    const claim = await listen(base);
    if (!claim) continue;
    const map = remembered?.base === base ? { ...remembered.map } : initial(base);
    const ports: Ports = {
      base,
      map,
      async renew(names) {
        for (const name of names) map[name] = await spare(base, map, name);
      },
      [Symbol.asyncDispose]: () => new Promise((resolve) => claim.close(() => resolve())),
    };
    const taken = await Promise.all(portNames.map(async (name) => ((await isFree(map[name], name)) ? [] : [name])));
    await ports.renew(taken.flat());
    return ports;
  }
  throw new OpsError(
    'unavailable',
    `No block of ${blockSize} ports is free on 127.0.0.1 from ${lowest} to ${highest}.`,
  );
}

function initial(base: number): PortMap {
  return Object.fromEntries(portNames.map((name, index) => [name, base + 1 + index])) as PortMap;
}

async function spare(base: number, map: PortMap, name: PortName): Promise<number> {
  const used = new Set(Object.values(map));
  for (let port = base + 1; port < base + blockSize; port += 1) {
    if (!used.has(port) && (await isFree(port, name))) return port;
  }
  throw new OpsError('unavailable', `No port from ${base} to ${base + blockSize - 1} is free on 127.0.0.1.`);
}

async function isFree(port: number, name: PortName): Promise<boolean> {
  if (name === 'livekitUdp') return isUdpFree(port);
  const server = await listen(port);
  if (!server) return false;
  await new Promise((resolve) => server.close(resolve));
  return true;
}

function listen(port: number): Promise<ReturnType<typeof createServer> | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server.unref()));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
