import {
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  RequestType,
  type RoomMessageRequest,
  type SignatureUploadRequest,
  type ToDeviceRequest,
} from '@matrix-org/matrix-sdk-crypto-wasm';
import { OpsError } from '#domain/errors.ts';
import type { Request } from '../client.ts';
import { inTurn } from './in-turn.ts';
import { keysLost } from './keys-lost.ts';
import type { Machine } from './machine.ts';

const mostRounds = 10;

type Outgoing =
  | KeysClaimRequest
  | KeysQueryRequest
  | KeysUploadRequest
  | RoomMessageRequest
  | SignatureUploadRequest
  | ToDeviceRequest
  | { type: RequestType.KeysBackup; id: string; body: string };

/** Carries the crypto library's requests to the homeserver and the answers back. Only a good answer goes back. */
export class Requests {
  readonly #machine: Machine;
  readonly #request: Request;
  readonly #turn = inTurn();
  /** Counts the answers about people's devices: what was decided by the ones before must be looked at again. */
  seen = 0;

  constructor(machine: Machine, request: Request) {
    this.#machine = machine;
    this.#request = request;
  }

  /** Sends all that the library has to say; what fails stays with it, for the next time. Throws the first failure. */
  pump(): Promise<void> {
    return this.#turn(async () => {
      let failure: unknown;
      const tried = new Set<string>();
      for (let round = 0; round < mostRounds; round += 1) {
        const outgoing = (await this.#machine.call((olm) => olm.outgoingRequests())) as Outgoing[];
        const fresh = outgoing.filter((request) => !tried.has(request.id ?? ''));
        if (fresh.length === 0) break;
        for (const request of fresh) {
          tried.add(request.id ?? '');
          try {
            await this.send(request);
          } catch (error) {
            failure ??= error;
          }
        }
      }
      if (failure !== undefined) throw failure as Error;
    });
  }

  /** One request and its answer. */
  async send(request: Outgoing): Promise<void> {
    const answer = await this.#ask(request);
    // Signatures that the bot asks for by itself have no id and need no answer.
    if (request.id === undefined) return;
    const { id } = request;
    await this.#machine.call((olm) => olm.markRequestAsSent(id, request.type, JSON.stringify(answer)));
    if (request.type === RequestType.KeysQuery) this.seen += 1;
  }

  /** Other keys under the same names: a copy of these keys, older or elsewhere, has used them. */
  async #upload(body: object): Promise<Record<string, unknown>> {
    try {
      return await this.#request('POST', '/_matrix/client/v3/keys/upload', null, body);
    } catch (error) {
      if (error instanceof OpsError && error.kind === 'invalid' && /already exists/i.test(error.message))
        throw keysLost(this.#machine.device, 'another copy of its keys was used meanwhile');
      throw error;
    }
  }

  #ask(request: Outgoing): Promise<Record<string, unknown>> {
    const body = (): object => JSON.parse(request.body) as object;
    switch (request.type) {
      case RequestType.KeysUpload:
        return this.#upload(body());
      case RequestType.KeysQuery:
        return this.#request('POST', '/_matrix/client/v3/keys/query', null, body());
      case RequestType.KeysClaim:
        return this.#request('POST', '/_matrix/client/v3/keys/claim', null, body());
      case RequestType.SignatureUpload:
        return this.#request('POST', '/_matrix/client/v3/keys/signatures/upload', null, body());
      case RequestType.ToDevice: {
        const { event_type: type, txn_id: txn } = request as ToDeviceRequest;
        return this.#request('PUT', `/_matrix/client/v3/sendToDevice/${type}/${txn}`, null, body());
      }
      case RequestType.RoomMessage:
      case RequestType.KeysBackup:
        throw new OpsError('internal', 'The crypto library asks for something that the bot never does.');
    }
  }
}
