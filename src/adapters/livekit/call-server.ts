import type { CallRoom, CallServer, Participant } from '#domain/calls.ts';
import type { Clock } from '#domain/clock.ts';
import { failureOf, isNotFound } from './failures.ts';
import type { Sdk } from './sdk.ts';

/** LiveKit's enum `TrackType` by number; later ones are called `other`. */
const trackKinds: Record<number, string> = { 0: 'audio', 1: 'video', 2: 'data' };
/** `ParticipantInfo.State.DISCONNECTED`: on the way out, still listed for a moment. */
const disconnected = 3;

/** Calls on LiveKit, by its room service. Only what is named here is ever taken from its answers: they hold secrets. */
export class LiveKitCallServer implements CallServer {
  readonly #sdk: Sdk;
  readonly #clock: Clock;

  constructor(sdk: Sdk, clock: Clock) {
    this.#sdk = sdk;
    this.#clock = clock;
  }

  async rooms(): Promise<CallRoom[]> {
    const client = await this.#sdk.client();
    let listed: Array<{ name: string; startedAt: number }>;
    try {
      listed = (await client.listRooms()).map((room) => ({
        name: room.name,
        startedAt: Number(room.creationTimeMs) || Number(room.creationTime) * 1000,
      }));
    } catch (error) {
      throw failureOf(error, 'list the calls', false);
    }
    // The list's own number comes late and leaves out who has no media yet. Asking is 2 ms a room.
    const rooms: CallRoom[] = [];
    for (const room of listed) rooms.push({ ...room, participants: (await this.participants(room.name)).length });
    return rooms;
  }

  async participants(room: string): Promise<Participant[]> {
    const client = await this.#sdk.client();
    try {
      const participants = await client.listParticipants(room);
      return participants
        .filter((participant) => (participant.state as number) !== disconnected)
        .map((participant) => ({
          identity: participant.identity,
          name: participant.name,
          joinedAt: Number(participant.joinedAtMs) || Number(participant.joinedAt) * 1000,
          tracks: participant.tracks.map(({ sid, type, muted }) => ({ sid, kind: trackKinds[type] ?? 'other', muted })),
        }));
    } catch (error) {
      throw failureOf(error, `list who is in the call ${room}`, false);
    }
  }

  async remove(room: string, identity: string): Promise<void> {
    const client = await this.#sdk.client();
    try {
      // No open-source release looks at the time yet (livekit #4344); sending it does no harm.
      const revokeTokenTs = BigInt(Math.floor(this.#clock.now() / 1000));
      await client.removeParticipant(room, identity, { revokeTokenTs });
    } catch (error) {
      if (isNotFound(error)) return;
      throw failureOf(error, `remove ${identity} from the call ${room}`, true);
    }
  }
}
