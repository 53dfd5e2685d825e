import type { CallServer } from '#domain/calls.ts';
import { hasFamily, type Measured, type Scrape, sumOf } from '#domain/metrics.ts';
import { rate, restartFamilies } from '#domain/rates.ts';
import { type Before, defineCheck } from '#engine/check.ts';

const bytes = 'livekit_packet_bytes';
const participants = 'livekit_participant_total';
// LiveKit adds to its traffic counters every 5 s (seen in 1.13.5): over a shorter time the rate would be mostly that.
const shortestMs = 15_000;
const keepMs = 90_000;

type Keep = Array<{ atMs: number; scrapes: Scrape[] }>;

/** LiveKit counts the traffic of the node only; what is said of a room is an estimate from its tracks. */
export default defineCheck({
  part: 'livekit',
  title: 'call bandwidth',
  everyMs: 60_000,
  needs: ['livekitMetrics'],
  wants: ['calls'],
  dependsOn: 'livekit-health',
  values: {
    in_bits_per_second: { title: 'call traffic in', unit: 'bits/s' },
    out_bits_per_second: { title: 'call traffic out', unit: 'bits/s' },
  },
  rules: [
    {
      name: 'livekit-bandwidth-in',
      alert: 'CallTrafficInHigh',
      of: 'in_bits_per_second',
      is: 'above',
      forMs: 300_000,
      help: 'The command "calls" shows the largest.',
    },
    {
      name: 'livekit-bandwidth-out',
      alert: 'CallTrafficOutHigh',
      of: 'out_bits_per_second',
      is: 'above',
      forMs: 300_000,
      help: 'The command "calls" shows the largest.',
    },
  ],
  async read({ livekitMetrics, calls, clock }, before: Before<Keep>, signal) {
    const scrapes = await livekitMetrics.scrape([bytes, participants, ...restartFamilies], signal);
    const now = clock.monotonicMs();
    const past = (before.keep ?? []).filter(({ atMs }) => now - atMs <= keepMs);
    const keep = [...past, { atMs: now, scrapes }];
    const last = past.findLast(({ atMs }) => now - atMs >= shortestMs)?.scrapes;
    // The first scrape after the start gives no rate; the next is seconds away.
    if (last === undefined) return { samples: [], keep };
    const note = await roomShares(calls);
    return {
      samples: [
        { name: 'in_bits_per_second', ...bits(last, scrapes, 'incoming') },
        { name: 'out_bits_per_second', note, ...bits(last, scrapes, 'outgoing') },
      ],
      keep,
    };
  },
});

function bits(before: readonly Scrape[], after: readonly Scrape[], direction: string): Measured {
  // LiveKit shows no traffic metric before the first packet: with nobody there that is 0, else it was renamed.
  if (!hasFamily(after, bytes) && sumOf(after, participants).value === 0) return { value: 0 };
  const { value, note } = rate(before, after, bytes, (labels) => labels['direction'] === direction);
  return value === undefined ? { value, note } : { value: value * 8 };
}

/** Each track goes to everybody else in its room: that product is a room's share of what goes out, roughly. */
async function roomShares(calls: CallServer | undefined): Promise<string | undefined> {
  if (calls === undefined) return undefined;
  const rooms = await Promise.all(
    (await calls.rooms()).map(async ({ name }) => {
      const people = await calls.participants(name);
      const tracks = people.reduce((sum, one) => sum + one.tracks.filter((track) => !track.muted).length, 0);
      return { name, people: people.length, tracks, load: tracks * Math.max(0, people.length - 1) };
    }),
  );
  const all = rooms.reduce((sum, room) => sum + room.load, 0);
  const [top] = rooms.toSorted((a, b) => b.load - a.load);
  if (top === undefined || all === 0) return undefined;
  const share = Math.round((top.load / all) * 100);
  return `Estimate: ${share} % of it by the largest of ${rooms.length} (${top.people} people, ${top.tracks} tracks).`;
}
