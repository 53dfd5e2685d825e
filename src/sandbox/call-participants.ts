// The process of a call's participants: orders come as JSON lines on the standard input, answers go to the standard output.
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import {
  AudioFrame,
  AudioSource,
  LocalAudioTrack,
  Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';

export type CallOrder = { id: number } & {
  do: 'join' | 'leave' | 'list';
  identity?: string;
  url?: string;
  token?: string;
};
export type CallAnswer = { answer: number; identities: string[] } | { answer: number; error: string };

const sampleRate = 16_000;
const frameMs = 100;
const toneHz = 220;

/**
 * Those that are connected, as far as they know. All have a microphone, the one who has been there longest talks and the
 * second listens: with everybody doing both, a call of three takes a fifth of a core.
 */
class Participants {
  readonly #rooms = new Map<string, Room>();

  async obey(order: CallOrder): Promise<void> {
    if (order.do === 'join') await this.#join(order.identity ?? '', order.url ?? '', order.token ?? '');
    if (order.do === 'leave') {
      await this.#rooms.get(order.identity ?? '')?.disconnect();
      this.#rooms.delete(order.identity ?? '');
    }
  }

  list(): string[] {
    return [...this.#rooms.keys()].sort();
  }

  async #join(identity: string, url: string, token: string): Promise<void> {
    const room = new Room();
    room.on(RoomEvent.Disconnected, () => {
      if (this.#rooms.get(identity) === room) this.#rooms.delete(identity);
    });
    this.#rooms.set(identity, room);
    try {
      await room.connect(url.replace(/^http/, 'ws'), token, { autoSubscribe: this.#rooms.size === 2, dynacast: true });
    } catch (error) {
      this.#rooms.delete(identity);
      throw error;
    }
    // Not awaited: publishing of one who is put out at once never ends.
    void this.#speak(room).catch(() => undefined);
  }

  async #speak(room: Room): Promise<void> {
    const source = new AudioSource(sampleRate, 1);
    const track = LocalAudioTrack.createAudioTrack('microphone', source);
    const options = new TrackPublishOptions();
    options.source = TrackSource.SOURCE_MICROPHONE;
    await room.localParticipant?.publishTrack(track, options);
    const samples = (sampleRate * frameMs) / 1000;
    for (let at = 0; room.isConnected; at += samples) {
      if (this.#rooms.values().next().value === room) await source.captureFrame(tone(at, samples));
      else await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await source.close();
  }
}

/** Faint, but no silence: of silence LiveKit would see no packets. */
function tone(at: number, samples: number): AudioFrame {
  const frame = AudioFrame.create(sampleRate, 1, samples);
  for (let i = 0; i < samples; i += 1) frame.data[i] = 500 * Math.sin((2 * Math.PI * toneHz * (at + i)) / sampleRate);
  return frame;
}

function main(): void {
  const participants = new Participants();
  const answer = (message: CallAnswer) => process.stdout.write(`${JSON.stringify(message)}\n`);
  const input = createInterface(process.stdin);
  input.on('line', (line) => {
    const order = JSON.parse(line) as CallOrder;
    participants.obey(order).then(
      () => answer({ answer: order.id, identities: participants.list() }),
      (error: unknown) => answer({ answer: order.id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  // The library's threads would keep the process alive for good.
  input.on('close', () => process.exit(0));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
