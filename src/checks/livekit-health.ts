import { defineCheck } from '#engine/check.ts';

export default defineCheck({
  part: 'livekit',
  title: 'LiveKit',
  everyMs: 30_000,
  needs: ['callServer'],
  unknownForMs: 60_000,
  unknownIs: 'critical',
  values: { up: { title: 'LiveKit', unit: 'up' } },
  rules: [
    {
      name: 'livekit-health',
      alert: 'LiveKitDown',
      of: 'up',
      is: 'below',
      critical: 1,
      forMs: 30_000,
      help: 'Calls fail. Look at the log of livekit-server.',
    },
  ],
  async read({ callServer }, _before, signal) {
    const answer = await callServer.health(signal);
    if (answer.kind === 'refused') {
      return { samples: [{ name: 'up', value: 0, note: 'connection refused: it is not running' }] };
    }
    if (answer.status === 200) return { samples: [{ name: 'up', value: 1 }] };
    // It measures itself every 2 s; 406 says that this stood still for 4 s (livekit pkg/service/server.go).
    const note = answer.status === 406 ? 'running, but not ready (406): its node statistics stand still' : undefined;
    return { samples: [{ name: 'up', value: 0, note: note ?? `it answers ${answer.status}: is that LiveKit?` }] };
  },
});
