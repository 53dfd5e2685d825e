import { dirname, relative } from 'node:path';
import type { UserId } from '#domain/accounts.ts';
import type { Answers } from './flags.ts';

type End = {
  out: string;
  owner: UserId;
  room: string;
  isInvited: boolean;
  encrypted: boolean;
  metrics: boolean;
  answers: Answers;
};

/** What a person has to do next, and what they should know. */
export function farewell(say: (line: string) => void, end: End): void {
  const { out, owner, room, isInvited, encrypted, metrics, answers } = end;
  const shown = relative(process.cwd(), out);
  const path = shown.startsWith('..') ? out : shown;
  const notes = [
    encrypted &&
      `${room} is encrypted: the bot takes commands there from verified devices only. In Element: Settings, Encryption.`,
    !metrics &&
      'Synapse gives no metrics where they usually are: memory and database pool stay unknown (synapse.metricsUrls).',
    answers['livekit-url'] === undefined && 'Calls are off until livekit is set in opsroom.yaml.',
    answers['postgres-host'] === undefined &&
      'Backups and database checks are off until postgres and backups are set in opsroom.yaml.',
    process.getuid?.() === 0 &&
      `If the bot runs as another user, give it the files: chown -R USER ${dirname(out)}/secrets ${out}`,
  ];
  for (const note of notes) if (note !== false) say(`  ${note}`);
  const steps = [
    ...(isInvited ? [`Accept the invitation to ${room} as ${owner}, in your own Matrix client.`] : []),
    `npm start -- doctor --settings ${path}`,
    `npm start -- --settings ${path}`,
    `In ${room}: !help`,
  ];
  say('\nNext:');
  for (const [at, step] of steps.entries()) say(`  ${at + 1}. ${step}`);
}
