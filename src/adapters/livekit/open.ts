import type { CallServer } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import { OpsError } from '#domain/errors.ts';
import { LiveKitCallServer } from './call-server.ts';
import { probeHealth } from './probe.ts';
import { type LiveKitKeys, Sdk } from './sdk.ts';
import { type LiveKitEvent, verifyWebhook } from './webhook.ts';

export type LiveKitSettings = LiveKitKeys & { clock: Clock };

export type LiveKit = {
  calls: CallServer;
  verifyWebhook(rawBody: Uint8Array | string, authHeader: string | undefined): Promise<LiveKitEvent>;
  /** Throws when LiveKit doesn't answer or isn't ready. */
  probeHealth(): Promise<{ latencyMs: number }>;
};

/** Connects to nothing yet: LiveKit may be down. */
export function openLiveKit(settings: LiveKitSettings): LiveKit {
  // The SDK takes websocket addresses as well, as clients have them.
  const url = settings.url.replace(/^ws/, 'http').replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new OpsError('misconfigured', 'livekit.url is not an http, https, ws or wss address.');
  }
  const sdk = new Sdk({ ...settings, url });
  return {
    calls: new LiveKitCallServer(sdk, settings.clock),
    verifyWebhook: (rawBody, authHeader) => verifyWebhook(sdk, rawBody, authHeader),
    probeHealth: () => probeHealth(url, settings.clock),
  };
}
