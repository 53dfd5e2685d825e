import { writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { Prometheus } from './prometheus.ts';

/** The rules a team would have, quick enough to be watched. A part that never came up is no alert. */
export async function sandboxRules(prometheus: Prometheus): Promise<void> {
  const down = (alert: string, job: string, severity: string, summary: string) => ({
    alert,
    expr: `up{job="${job}"} == 0 and max_over_time(up{job="${job}"}[1d]) == 1`,
    for: '2s',
    labels: { severity },
    annotations: { summary },
  });
  const rules = [
    down('SynapseDown', 'synapse', 'critical', 'Synapse does not answer: nobody can chat.'),
    down('LiveKitDown', 'livekit', 'critical', 'LiveKit does not answer: nobody can call.'),
  ];
  await writeFile(prometheus.rulesFile, stringify({ groups: [{ name: 'sandbox', rules }] }));
  await prometheus.reload();
}
