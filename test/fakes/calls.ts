import type { CallRoom, CallServer, Participant } from '#domain/calls.ts';
import { FakeClock } from './clock.ts';
import type { Clock } from '#domain/clock.ts';
import { Faults } from './faults.ts';

/** Calls in memory. As with LiveKit, whoever was removed can join again. */
export class FakeCallServer implements CallServer {
  readonly faults = new Faults<'rooms' | 'participants' | 'remove'>();
  readonly #clock: Clock;
  readonly #rooms = new Map<string, { startedAt: number; participants: Map<string, Participant> }>();
  #tracks = 0;

  constructor(clock: Clock = new FakeClock()) {
    this.#clock = clock;
  }

  join(room: string, identity: string, kinds: string[] = ['audio']): void {
    const startedAt = this.#clock.now();
    const stored = this.#rooms.get(room) ?? { startedAt, participants: new Map<string, Participant>() };
    const tracks = kinds.map((kind) => ({ sid: `TR_${++this.#tracks}`, kind, muted: false }));
    stored.participants.set(identity, { identity, name: '', joinedAt: startedAt, tracks });
    this.#rooms.set(room, stored);
  }

  rooms(): Promise<CallRoom[]> {
    return this.faults.run('rooms', [], () =>
      [...this.#rooms].map(([name, { startedAt, participants }]) => ({
        name,
        startedAt,
        participants: participants.size,
      })),
    );
  }

  participants(room: string): Promise<Participant[]> {
    return this.faults.run('participants', [room], () => [...(this.#rooms.get(room)?.participants.values() ?? [])]);
  }

  remove(room: string, identity: string): Promise<void> {
    return this.faults.run('remove', [room, identity], () => {
      this.#rooms.get(room)?.participants.delete(identity);
    });
  }
}
