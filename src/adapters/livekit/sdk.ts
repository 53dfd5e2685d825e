import type { RoomServiceClient, WebhookReceiver } from 'livekit-server-sdk';

export type LiveKitKeys = { url: string; apiKey: string; apiSecret: string; timeoutMs?: number };

/** The SDK, loaded at its first use: it takes 0.3 s and 38 MB, which a bot without calls never pays. */
export class Sdk {
  readonly #keys: LiveKitKeys;
  #client: Promise<RoomServiceClient> | undefined;
  #receiver: Promise<WebhookReceiver> | undefined;

  constructor(keys: LiveKitKeys) {
    this.#keys = keys;
  }

  client(): Promise<RoomServiceClient> {
    this.#client ??= this.#makeClient();
    return this.#client;
  }

  receiver(): Promise<WebhookReceiver> {
    this.#receiver ??= this.#makeReceiver();
    return this.#receiver;
  }

  async #makeClient(): Promise<RoomServiceClient> {
    const { url, apiKey, apiSecret, timeoutMs = 10_000 } = this.#keys;
    const sdk = await import('livekit-server-sdk');
    // Fail-over asks the cloud's regions; there are none behind an own server.
    return new sdk.RoomServiceClient(url, apiKey, apiSecret, { requestTimeout: timeoutMs / 1000, failover: false });
  }

  async #makeReceiver(): Promise<WebhookReceiver> {
    const sdk = await import('livekit-server-sdk');
    return new sdk.WebhookReceiver(this.#keys.apiKey, this.#keys.apiSecret);
  }
}
