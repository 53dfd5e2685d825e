import { defineCheck } from '#engine/check.ts';

export default defineCheck({
  part: 'bot',
  title: 'memory of the bot',
  everyMs: 15_000,
  needs: ['safeMode'],
  local: true,
  values: { safe_mode: { title: 'safe mode', unit: 'count' } },
  rules: [
    {
      name: 'bot-memory',
      alert: 'BotSafeMode',
      of: 'safe_mode',
      is: 'above',
      critical: 0,
      forMs: 0,
      help: 'Reads, pages and acknowledgements go on; changes are refused.',
    },
  ],
  async read({ safeMode }) {
    const closed = safeMode.closed();
    return {
      samples: [
        {
          name: 'safe_mode',
          value: closed ? 1 : 0,
          note: closed && `Changes are refused: ${closed.why}. ${closed.hint}`,
        },
      ],
    };
  },
});
