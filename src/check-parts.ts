import { PostgresStats } from '#adapters/postgres/stats.ts';
import { MetricsPages } from '#adapters/prometheus/scrape.ts';
import { TlsCertificates, tlsHosts } from '#adapters/system/certificates.ts';
import { LocalDisks } from '#adapters/system/disks.ts';
import { endpoint } from '#adapters/system/endpoint.ts';
import type { Clock } from '#domain/clock.ts';
import type { RoundTrip } from '#domain/probes.ts';
import type { SiteCheckPorts } from '#engine/check-ports.ts';
import type { Parts } from './parts.ts';
import type { Settings } from './settings.ts';

/** What the checks look at, as far as the settings name it. */
export function openCheckParts(
  settings: Settings,
  clock: Clock,
  parts: Parts,
  roundTrip: RoundTrip,
  stack: AsyncDisposableStack,
): SiteCheckPorts {
  const { synapse, livekit, postgres, backups } = settings;
  const ports: SiteCheckPorts = {
    clock,
    roundTrip,
    homeserver: {
      health: endpoint(`${synapse.url}/health`, clock),
      versions: endpoint(`${synapse.url}/_matrix/client/versions`, clock),
      database: parts.homeserverDatabase,
    },
    disks: new LocalDisks([...new Set([settings.dataDir, ...(backups ? [backups.directory] : []), ...settings.disks])]),
  };
  if (synapse.metricsUrls.length > 0) ports.synapseMetrics = new MetricsPages({ urls: synapse.metricsUrls, clock });
  if (livekit) {
    ports.callServer = { health: endpoint(livekit.url.replace(/^ws/, 'http'), clock) };
    if (livekit.metricsUrl) ports.livekitMetrics = new MetricsPages({ urls: [livekit.metricsUrl], clock });
  }
  if (parts.ports.calls) ports.calls = parts.ports.calls;
  if (parts.ports.backups) ports.backups = parts.ports.backups;
  if (postgres) {
    const { host, port, database, user, password } = postgres;
    const login = password === undefined ? {} : { password: password.reveal() };
    ports.database = stack.use(new PostgresStats({ host, port, database, user, ...login, clock }));
  }
  const urls = [settings.matrix.homeserverUrl, synapse.url, livekit?.url, settings.http?.publicUrl];
  const hosts = [...tlsHosts(urls.filter((url) => url !== undefined)), ...settings.certificates];
  if (hosts.length > 0) ports.certificates = new TlsCertificates(hosts);
  return ports;
}
