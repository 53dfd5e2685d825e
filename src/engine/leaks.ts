import type { UserId } from '#domain/accounts.ts';
import type { InboxItem } from '#domain/inbox.ts';
import type { Line, Reply } from '#domain/messages.ts';
import { type House, isJoined } from './house.ts';
import { type Address, say, takeOut, typable } from './speak.ts';

const tellEveryMs = 60_000;
const mostTold = 1000;

// What each secret of the settings opens, and how it is replaced. The first that fits; the last fits all.
const replacements: Array<[RegExp, (name: string) => string]> = [
  [
    /^matrix\.accessToken$|^synapse\.adminToken$/,
    (name) =>
      `Whoever saw it can act as the ${name.startsWith('matrix') ? 'bot' : 'server’s admin'}. On the host: npm start -- init makes new tokens; restart the bot, then log the old session out.`,
  ],
  [
    /^livekit\./,
    (name) =>
      `Whoever saw it can enter and end every call. Put a new one into LiveKit’s keys and into the file of ${name}, and restart both.`,
  ],
  [
    /^alerts\.|webhook/i,
    (name) =>
      `Whoever saw it can send false alerts. Put a new one into the file of ${name} and into the senders, and restart the bot.`,
  ],
  [
    /^(postgres|roster)\./,
    (name) =>
      `Whoever saw it can open the database. Change it there (ALTER ROLE … PASSWORD) and in the file of ${name}, and restart the bot.`,
  ],
  [/./, (name) => `Make a new one, put it into the file of ${name}, and restart the bot.`],
];

const shapeHints: Array<[RegExp, string]> = [
  [
    /Matrix access token/,
    'Whoever saw it can act as its owner. End that session: in Element under Settings, Sessions; for an admin’s token do it now.',
  ],
  [/JWT/, 'It opens what it was made for until it expires. If it was made by hand, change the key behind it.'],
  [/address with a password/, 'Change that password: whoever saw it can use it.'],
  [/./, 'Make a new key: whoever saw this one has it.'],
];

const firstOf = <T>(list: ReadonlyArray<readonly [RegExp, T]>, text: string): T | undefined =>
  list.find(([pattern]) => pattern.test(text))?.[1];

/** A secret was written into the room: it is taken out, and the room is told which and what to do, never the secret. */
export class Leaks {
  readonly #house: House;
  readonly #toldAtMs = new Map<UserId, number>();

  constructor(house: House) {
    this.#house = house;
  }

  handle(item: InboxItem): void {
    if (item.body.kind !== 'leaked') return;
    const { ledger, clock, log } = this.#house;
    const { bot } = this.#house.ports(item.site);
    const { secrets } = item.body;
    const at = clock.now();
    const where = { room: item.room ?? bot.opsRoom, thread: item.thread, event: undefined };
    // A lane of its own: where the bot may not take out what others said, the room still hears of it.
    const address: Address = {
      site: item.site,
      where,
      lane: `leak:${item.key}`,
      about: { kind: 'inbox', id: item.id },
      at,
    };
    const told = this.#mayTell(item.sender) ? [this.#tell(item, { ...address, lane: 'notices' })] : [];
    ledger.commit({
      at,
      inbox: [{ id: item.id, state: 'done' }],
      outbox: [takeOut(ledger, address, item.key), ...told],
      audit: [
        {
          at,
          actor: item.sender,
          site: item.site,
          run: undefined,
          incident: undefined,
          act: 'secret pasted',
          outcome: 'taken out',
          detail: { event: item.key, proof: item.proof, settings: secrets.settings, looksLike: secrets.shapes },
        },
      ],
    });
    log.warn({ sender: item.sender, event: item.key, ...secrets }, 'a secret was written into the room');
  }

  #tell(item: InboxItem, address: Address): ReturnType<typeof say> {
    const { ledger, settings } = this.#house;
    const { operators } = this.#house.ports(item.site);
    const secrets = item.body.kind === 'leaked' ? item.body.secrets : { settings: [], shapes: [] };
    const ours = secrets.settings.length > 0;
    const owners = ours ? operators.list().filter(({ role }) => role === 'owner') : [];
    const mentions = new Set([item.sender, ...owners.map(({ user }) => user)]);
    const joined = [...mentions].filter((user) => isJoined(this.#house, item.site, user));
    const reply = typable(replyOf(item.sender, secrets), settings.prefix);
    return say(ledger, address, reply, { kind: 'notice' }, { rings: true, mentions: joined });
  }

  /** Once a minute for each sender; what they paste is taken out all the same. */
  #mayTell(sender: UserId): boolean {
    const now = this.#house.clock.monotonicMs();
    const last = this.#toldAtMs.get(sender);
    if (last !== undefined && now - last < tellEveryMs) return false;
    if (this.#toldAtMs.size >= mostTold) this.#toldAtMs.clear();
    this.#toldAtMs.set(sender, now);
    return true;
  }
}

function replyOf(sender: UserId, { settings, shapes }: { settings: string[]; shapes: string[] }): Reply {
  const items: Line[] = [
    ...settings.map((name): Line => [{ bold: name }, `: ${firstOf(replacements, name)?.(name) ?? ''}`]),
    ...shapes.map((name): Line => [{ bold: name }, `: ${firstOf(shapeHints, name) ?? ''}`]),
  ];
  const what =
    settings.length > 0 ? `the secret of ${settings.join(' and ')}` : `what looks like ${shapes.join(' and ')}`;
  return {
    title: [{ user: sender }, ` wrote ${what} into the room. I am taking that message out; treat the secret as known.`],
    verdict: settings.length > 0 ? 'critical' : 'warning',
    blocks: [
      { kind: 'list', items },
      {
        kind: 'text',
        lines: [
          'If the message still stands in a minute, I lack the right to remove it: delete it yourself. Nothing in it was run.',
        ],
      },
    ],
    offers: [{ text: 'The bot’s own credentials', command: 'token status' }],
  };
}
