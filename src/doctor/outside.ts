import { openLiveKit } from '#adapters/livekit/open.ts';
import { MetricsPages } from '#adapters/prometheus/scrape.ts';
import { WebhookWay } from '#adapters/webhook/open.ts';
import { endpoint } from '#adapters/system/endpoint.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { hasFamily } from '#domain/metrics.ts';
import type { Settings } from '../settings.ts';
import { type Look, off, warning, well, wrong } from './finding.ts';

/** Metrics, calls and the two programs that alert. */
export function outsideLooks(settings: Settings, clock: Clock): Look[] {
  const { synapse, livekit, alerts } = settings;
  const pages = synapse.metricsUrls.map((url) =>
    metricsLook('Synapse metrics', url, ['synapse_build_info'], 'synapse.metricsUrls', clock),
  );
  return [
    ...(pages.length > 0
      ? pages
      : [isOff('Synapse metrics', 'synapse.metricsUrls is not set: memory and database pool stay unknown')]),
    ...livekitLooks(livekit, clock),
    ...fallbackLooks(settings),
    programLook('Prometheus', alerts.prometheusUrl, 'prometheusUrl', '/api/v1/status/buildinfo', '"goVersion"', clock),
    programLook('Alertmanager', alerts.alertmanagerUrl, 'alertmanagerUrl', '/api/v2/status', '"versionInfo"', clock),
  ];
}

const isOff = (part: string, why: string): Look => ({ part, look: () => Promise.resolve(off(why)) });

/** Whether a page finds a way while Matrix is down. It is not tried: that would wake somebody. */
function fallbackLooks({ alerts, matrix }: Settings): Look[] {
  const part = 'fallback';
  if (alerts.fallback.length === 0) {
    const none = warning(
      'pages have no other way than the room: while Matrix is down nobody is paged',
      'Set alerts.fallback to a webhook that wakes people.',
    );
    return [{ part, look: () => Promise.resolve(none) }];
  }
  return alerts.fallback.map(({ webhook }) => ({
    part,
    async look(signal) {
      const way = new WebhookWay({ ...webhook, bot: matrix.userId, site: 'default' });
      await way.reach(signal);
      return well(`${way.name} answers; pages go there while the room cannot be reached`);
    },
  }));
}

function livekitLooks(settings: Settings['livekit'], clock: Clock): Look[] {
  if (settings === undefined) return [isOff('calls', 'livekit is not set')];
  const { url, apiKey, apiSecret, metricsUrl } = settings;
  const livekit = openLiveKit({ url, apiKey, apiSecret: apiSecret.reveal(), clock });
  const families = ['livekit_room_total', 'livekit_participant_total', 'livekit_node_packet_total'];
  return [
    {
      part: 'calls',
      async look() {
        await livekit.probeHealth();
        const rooms = await livekit.calls.rooms();
        return well(`LiveKit at ${url}, the key works, ${rooms.length} ${rooms.length === 1 ? 'call' : 'calls'}`);
      },
    },
    metricsUrl === undefined
      ? isOff('LiveKit metrics', 'livekit.metricsUrl is not set: bandwidth and failed connections stay unknown')
      : metricsLook('LiveKit metrics', metricsUrl, families, 'livekit.metricsUrl', clock),
  ];
}

function metricsLook(part: string, url: string, families: string[], setting: string, clock: Clock): Look {
  return {
    part,
    async look(signal) {
      const scrapes = await new MetricsPages({ urls: [url], clock })
        .scrape(families, signal)
        .catch((error: unknown) => {
          const said = error instanceof OpsError ? error.message : 'It gives none.';
          throw new OpsError('unavailable', said, {
            hint: `Is the metrics listener on, and is ${setting} its address?`,
            cause: error,
          });
        });
      if (families.some((family) => hasFamily(scrapes, family))) return well(url);
      return wrong(`${url} answers, but not with metrics of ${part.split(' ')[0]}.`, `Mend ${setting}.`);
    },
  };
}

function programLook(
  part: string,
  url: string | undefined,
  key: 'prometheusUrl' | 'alertmanagerUrl',
  path: string,
  sign: string,
  clock: Clock,
): Look {
  if (url === undefined) return isOff(part, `alerts.${key} is not set`);
  return {
    part,
    async look(signal) {
      const answer = await endpoint(`${url}${path}`, clock)(signal);
      if (answer.kind === 'refused')
        return wrong(`Nothing listens at ${url}.`, `Start ${part}, or mend alerts.${key}.`);
      if (answer.status === 200 && answer.text.includes(sign)) return well(url);
      return wrong(`What answers at ${url} (${answer.status}) is not ${part}.`, `Mend alerts.${key}.`);
    },
  };
}
