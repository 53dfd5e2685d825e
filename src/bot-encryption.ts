import type { Envelopes } from '#adapters/matrix/crypto/envelopes.ts';
import type { UserId } from '#domain/accounts.ts';
import type { BotInfo } from '#domain/bot.ts';
import type { Encryption, EncryptionStatus } from '#domain/encryption.ts';
import { OpsError } from '#domain/errors.ts';
import type { Ledger } from '#domain/ledger.ts';
import type { Log } from '#domain/log.ts';
import { logIn, mayLogIn } from './new-login.ts';
import type { Settings } from './settings.ts';

type Hands = {
  settings: Settings;
  envelopes: () => Envelopes;
  ledger: Ledger;
  bot: BotInfo;
  log: Log;
  /** The bot begins anew, with these settings. */
  again: (settings: Settings) => void;
};

/** The keys as the commands see them. */
export class BotEncryption implements Encryption {
  readonly #hands: Hands;

  constructor(hands: Hands) {
    this.#hands = hands;
  }

  async status(): Promise<EncryptionStatus> {
    const { settings, envelopes, ledger, bot } = this.#hands;
    const { encryption: mode } = settings.matrix;
    const facts = ledger.roomFacts(bot.opsRoom);
    const encrypted = facts?.encrypted ?? false;
    const unread = ledger.sealedHeads().length;
    if (mode === 'off' || (!encrypted && !envelopes().hasKeys))
      return { encrypted, mode, bot: undefined, people: [], unread };
    const cipher = await envelopes().cipher();
    const members = (facts?.joined ?? []).filter((user) => user !== bot.user);
    const people = encrypted ? await cipher.lookAt(members) : [];
    const { device, fingerprint, signed } = cipher;
    return { encrypted, mode, bot: { device, fingerprint, signed: signed === 'signed' }, people, unread };
  }

  async find(user: UserId): ReturnType<Encryption['find']> {
    const [known] = await (await this.#cipher()).lookAt([user]);
    if (known === undefined) throw new OpsError('notFound', `Nothing is known of ${user}.`);
    return known;
  }

  async accept(user: UserId, fingerprint: string): Promise<void> {
    await (await this.#cipher()).accept(user, fingerprint);
  }

  whyNotRenew(): string | undefined {
    if (mayLogIn(this.#hands.settings)) return undefined;
    return this.#hands.settings.matrix.password === undefined
      ? 'Set matrix.password in the settings file and start the bot again; or: npm start -- mend --settings FILE'
      : 'matrix.accessToken has to be { file: … }: the new token goes there.';
  }

  async renew(): Promise<void> {
    const { settings, log, again } = this.#hands;
    again(await logIn(settings, log));
  }

  async #cipher() {
    const { settings, envelopes } = this.#hands;
    if (settings.matrix.encryption === 'off')
      throw new OpsError('misconfigured', 'The settings say matrix.encryption: off.', { hint: 'Set it to auto.' });
    return envelopes().cipher();
  }
}
