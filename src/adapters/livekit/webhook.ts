import { OpsError } from '#domain/errors.ts';
import { scrub } from './failures.ts';
import type { Sdk } from './sdk.ts';

/** What is used of a webhook. `id` is the same when LiveKit repeats it. */
export type LiveKitEvent = { event: string; id: string; room: string | undefined; identity: string | undefined };

/**
 * Checks the signature over the raw bytes and reads the event. Throws `denied` when it isn't LiveKit's, `invalid` when it
 * can't be read. Answer 200 before acting on it: LiveKit sends in strict order and waits for each answer.
 */
export async function verifyWebhook(
  sdk: Sdk,
  rawBody: Uint8Array | string,
  authHeader: string | undefined,
): Promise<LiveKitEvent> {
  // The SDK hashes the text as UTF-8; bytes that aren't UTF-8 change in decoding, so they fail the check.
  const body = typeof rawBody === 'string' ? rawBody : new TextDecoder('utf-8', { ignoreBOM: true }).decode(rawBody);
  const receiver = await sdk.receiver();
  try {
    const { event, id, room, participant } = await receiver.receive(body, authHeader);
    if (event === '') throw new SyntaxError('no event');
    return { event, id, room: room?.name, identity: participant?.identity };
  } catch (error) {
    const text = error instanceof Error ? `${error.name} ${error.message}` : 'unknown';
    const cause = new Error(scrub(text));
    // The signature is checked before the body is read, so an unreadable body comes from the key's owner.
    if (error instanceof SyntaxError || /cannot decode/i.test(text)) {
      throw new OpsError('invalid', 'The LiveKit webhook cannot be read.', { cause });
    }
    throw new OpsError('denied', 'The webhook is not signed with the LiveKit API key.', {
      hint: 'webhook.api_key of LiveKit must be livekit.apiKey.',
      cause,
    });
  }
}
