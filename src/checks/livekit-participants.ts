import { sumOf } from '#domain/metrics.ts';
import { defineCheck } from '#engine/check.ts';

const participants = 'livekit_participant_total';
const rooms = 'livekit_room_total';
const dayMs = 86_400_000;

export default defineCheck({
  part: 'livekit',
  title: 'people in calls',
  everyMs: 60_000,
  needs: ['livekitMetrics'],
  dependsOn: 'livekit-health',
  values: {
    participants: { title: 'people in calls', unit: 'count' },
    rooms: { title: 'calls', unit: 'count' },
    usual: { title: 'people in calls, usual', unit: 'count' },
  },
  rules: [
    {
      name: 'livekit-participants',
      alert: 'CallsSpike',
      of: 'participants',
      is: 'above',
      // Times the median of the last day; a handful of people is never a spike.
      warning: 3,
      forMs: 120_000,
      bound: (times, { usual }) => (usual === undefined ? undefined : Math.max(times * usual, 20)),
      help: 'The command "calls" shows who is where.',
    },
  ],
  async read({ livekitMetrics }, before, signal) {
    const scrapes = await livekitMetrics.scrape([participants, rooms], signal);
    const day = before.history('participants', dayMs).flatMap(({ value }) => (value === undefined ? [] : [value]));
    const usual = median(day);
    return {
      samples: [
        { name: 'participants', ...sumOf(scrapes, participants) },
        { name: 'rooms', ...sumOf(scrapes, rooms) },
        ...(usual === undefined ? [] : [{ name: 'usual', value: usual }]),
      ],
    };
  },
});

/** Undefined with less than an hour of readings: nothing is usual yet. */
function median(values: readonly number[]): number | undefined {
  if (values.length < 60) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
