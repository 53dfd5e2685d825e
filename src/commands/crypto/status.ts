import type { EncryptionStatus } from '#domain/encryption.ts';
import type { Line } from '#domain/messages.ts';
import { none } from '#engine/args.ts';
import { defineQuery } from '#engine/command.ts';

export default defineQuery({
  summary: 'Show the bot’s device and identity, and whose devices may not command.',
  examples: [''],
  args: none,
  role: 'admin',
  needs: ['encryption'],
  answer: (_args, { encryption }) => encryption.status(),
  view: (status) => ({
    title: titleOf(status),
    verdict: verdictOf(status),
    blocks: [
      { kind: 'list', items: ownLines(status) },
      ...(status.people.length === 0
        ? []
        : [
            {
              kind: 'table' as const,
              head: ['who', 'verified devices', 'unverified', 'identity'],
              rows: status.people.map(({ user, signed, unsigned, identity }): Line[] => [
                user,
                String(signed),
                unsigned.map(({ device, name }) => (name ? `${device} (${name})` : device)).join(', ') || 'none',
                identity === 'changed' ? 'changed: it counts for nothing until it is accepted' : identity,
              ]),
            },
          ]),
    ],
    offers: status.people
      .filter(({ identity }) => identity === 'changed')
      .map(({ user }) => ({ text: `Accept the new identity of ${user}`, command: `crypto verify ${user}` })),
  }),
});

const changed = ({ people }: EncryptionStatus): number =>
  people.filter(({ identity }) => identity === 'changed').length;

/** People of whom no device may command. */
const without = ({ people }: Pick<EncryptionStatus, 'people'>): number =>
  people.filter(({ signed }) => signed === 0).length;

function titleOf(status: EncryptionStatus): string {
  if (!status.encrypted)
    return status.mode === 'required'
      ? 'This room is not encrypted, so commands are refused here (matrix.encryption: required).'
      : 'This room is not encrypted.';
  if (status.mode === 'off') return 'This room is encrypted, and the settings say that the bot does not read it.';
  if (status.bot?.signed !== true) return 'This room is encrypted, and the bot’s device is not signed by its identity.';
  const open = changed(status);
  if (open > 0) return `Encrypted. ${open} new ${open === 1 ? 'identity waits' : 'identities wait'} to be accepted.`;
  const mute = without(status);
  if (mute > 0 && mute === status.people.length)
    return 'Encrypted, but nobody has a verified device, so nobody can command here.';
  if (mute > 0) return `Encrypted. ${mute} of ${status.people.length} people cannot command: no verified device.`;
  return verdictOf(status) === 'ok'
    ? 'Encrypted, all well.'
    : 'Encrypted. The bot is well; not everything here counts.';
}

function verdictOf(status: EncryptionStatus): 'ok' | 'warning' | 'critical' {
  if (!status.encrypted) return status.mode === 'required' ? 'critical' : 'ok';
  if (status.mode === 'off' || status.bot?.signed !== true) return 'critical';
  if (status.people.length > 0 && without(status) === status.people.length) return 'critical';
  return changed(status) > 0 ||
    without(status) > 0 ||
    status.unread > 0 ||
    status.people.some(({ unsigned }) => unsigned.length > 0)
    ? 'warning'
    : 'ok';
}

function ownLines({ bot, unread, mode, people }: EncryptionStatus): Line[] {
  const lines: Line[] = [`matrix.encryption: ${mode}`];
  if (bot) {
    lines.push(['The bot’s device: ', { code: bot.device }, bot.signed ? ', signed' : ', NOT signed']);
    lines.push([
      'Its fingerprint, to compare in your client: ',
      { code: bot.fingerprint.replaceAll(/(.{4})(?=.)/g, '$1 ') },
    ]);
  }
  if (unread > 0) lines.push(`${unread} ${unread === 1 ? 'message waits for its' : 'messages wait for their'} key.`);
  if (without({ people }) > 0)
    lines.push(
      'To verify a device: in Element, Settings, Encryption, on a device that is verified already or by the recovery key.',
    );
  return lines;
}
