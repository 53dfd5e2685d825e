/** `file` is uploaded and sent in place of the text. */
export type Line = [author: string, text: string, file?: 'picture' | 'text'];
export type SeedRoom = {
  alias: string;
  name: string;
  topic: string;
  /** The first one creates the room. */
  members: string[];
  public?: boolean;
  encrypted?: boolean;
  ghost?: boolean;
  lines: Line[];
};

export const rooms: SeedRoom[] = [
  {
    alias: 'general',
    name: 'General',
    topic: 'Everything that concerns all of us',
    members: [
      'alice',
      'amir',
      'bob',
      'carol',
      'dana',
      'heidi',
      'ingrid',
      'ivan',
      'judy',
      'mallory',
      'oscar',
      'peggy',
      'rosa',
      'sybil',
      'tomas',
      'wendy',
    ],
    public: true,
    lines: [
      ['wendy', 'Morning all. The lift is out of order again, use the stairs at the back.'],
      ['oscar', 'Thanks, I was about to wait for it with the new monitors.'],
      ['peggy', 'All-hands moved to Thursday 14:00, same room.'],
      ['rosa', 'Can somebody share the slides from last month?'],
      ['peggy', 'all-hands-october.txt', 'text'],
      ['amir', 'Got them, thank you!'],
      ['mallory', 'Will it be recorded?'],
      ['peggy', 'Yes, as always.'],
    ],
  },
  {
    alias: 'announcements',
    name: 'Announcements',
    topic: 'Read-mostly',
    members: ['carol', 'alice', 'bob', 'erin', 'grace', 'nina', 'peggy', 'yuki'],
    public: true,
    lines: [
      ['carol', 'Maintenance window on Sunday 06:00 to 07:00: chat restarts once, calls are cut for a minute.'],
      ['carol', 'Done at 06:31, everything is back.'],
    ],
  },
  {
    alias: 'random',
    name: 'Random',
    topic: 'Off topic is the topic',
    members: ['judy', 'alice', 'amir', 'ken', 'laura', 'mallory', 'miguel', 'nina', 'rosa', 'tomas', 'xenia'],
    public: true,
    lines: [
      ['laura', 'Lunch: the Korean place or the market?'],
      ['tomas', 'Market. They have the dumplings on Wednesdays.'],
      ['xenia', 'sunset-from-the-roof.png', 'picture'],
      ['miguel', 'Wow.'],
      ['mallory', 'Buy my tickets, half price, write me directly'],
      ['judy', 'That is the third time today, please stop.'],
    ],
  },
  {
    alias: 'engineering',
    name: 'Engineering',
    topic: 'Code, reviews, releases',
    members: ['erin', 'alice', 'bob', 'dana', 'frank', 'grace', 'ivan', 'ken', 'mallory', 'tomas', 'victor'],
    public: true,
    lines: [
      ['ivan', 'The nightly build failed on the migration test.'],
      ['victor', 'Mine. The fixture had a time zone in it. Fix is up.'],
      ['erin', 'Reviewed and merged.'],
      ['ivan', 'Green again.'],
      ['grace', 'Reminder: release branch on Friday noon.'],
      ['ken', 'Does the new SFU need its own firewall rule?'],
      ['bob', 'One UDP port and the TCP fallback, I wrote it down in the runbook.'],
    ],
  },
  {
    alias: 'support',
    name: 'Support desk',
    topic: 'Tickets that need more than one head',
    members: ['nina', 'amir', 'carol', 'judy', 'peggy', 'quentin', 'rosa', 'ursula'],
    lines: [
      ['quentin', 'Two customers can not join calls since this morning.'],
      ['ursula', 'Same browser?'],
      ['quentin', 'Both behind the same company proxy.'],
      ['nina', 'Then they need the TCP fallback, I will send them the guide.'],
    ],
  },
  {
    alias: 'design',
    name: 'Design review',
    topic: 'Drafts and calls',
    members: ['heidi', 'alice', 'laura', 'mallory', 'xenia', 'zoe'],
    lines: [
      ['heidi', 'Draft two of the landing page:'],
      ['heidi', 'landing-draft-2.png', 'picture'],
      ['zoe', 'Much calmer. The button could be lower.'],
      ['xenia', 'Shall we talk it through in a call at three?'],
      ['heidi', 'Call is open.'],
    ],
  },
  {
    alias: 'atlas',
    name: 'Project Atlas',
    topic: 'The mapping rewrite',
    members: ['dana', 'alice', 'frank', 'mallory', 'tomas', 'victor'],
    lines: [
      ['dana', 'Milestone two is due on the 30th.'],
      ['frank', 'Tiles are done, labels are not.'],
      ['tomas', 'I can take the labels.'],
      ['frank', 'atlas-open-points.txt', 'text'],
    ],
  },
  {
    alias: 'borealis',
    name: 'Project Borealis',
    topic: 'Dark mode and contrast',
    members: ['grace', 'heidi', 'ken', 'mallory', 'xenia', 'zoe'],
    lines: [
      ['grace', 'Contrast audit is in, 14 findings.'],
      ['zoe', 'I start with the forms.'],
    ],
  },
  {
    alias: 'cumulus',
    name: 'Project Cumulus',
    topic: 'Moving the backups',
    members: ['bob', 'carol', 'ivan', 'mallory', 'victor', 'beata'],
    lines: [
      ['beata', 'Restore rehearsal took 11 minutes.'],
      ['bob', 'Better than the 40 of last quarter.'],
      ['victor', 'And it was the whole set this time.'],
    ],
  },
  {
    alias: 'finance',
    name: 'Finance',
    topic: 'Encrypted',
    members: ['frank', 'peggy', 'ursula', 'wendy'],
    encrypted: true,
    lines: [],
  },
  {
    alias: 'telegram',
    name: 'Field team (Telegram)',
    topic: 'Bridged',
    members: ['miguel', 'amir', 'rosa', 'quentin'],
    ghost: true,
    lines: [
      ['telegram_dora', 'At the site now, no mobile data, only SMS and this.'],
      ['miguel', 'Good to know the bridge holds.'],
      ['telegram_dora', 'Back by six.'],
    ],
  },
  {
    alias: 'mallory-notes',
    name: 'Notes to self',
    topic: '',
    members: ['mallory'],
    lines: [['mallory', 'Things to sell']],
  },
];

export type DirectChat = { between: [string, string]; lines: Line[] };

export const directs: DirectChat[] = [
  {
    between: ['mallory', 'judy'],
    lines: [
      ['mallory', 'Tickets? Last chance'],
      ['judy', 'No.'],
    ],
  },
  { between: ['laura', 'mallory'], lines: [['laura', 'Please stop writing to my team.']] },
  { between: ['mallory', 'nina'], lines: [['mallory', 'Hey, do you need tickets?']] },
  {
    between: ['alice', 'carol'],
    lines: [
      ['alice', 'Can you take on-call on Saturday?'],
      ['carol', 'Sure.'],
    ],
  },
  {
    between: ['erin', 'victor'],
    lines: [
      ['erin', 'Pairing at ten?'],
      ['victor', 'Yes, your room.'],
    ],
  },
  {
    between: ['heidi', 'zoe'],
    lines: [
      ['heidi', 'Welcome to the team!'],
      ['zoe', 'Thank you, Heidi.'],
    ],
  },
];

export const soleRoomAlias = 'mallory-notes';
export const callRoomAlias = 'design';
/** Who is in the running call. */
export const callMembers = ['heidi', 'mallory', 'zoe'];

export type Project = { id: string; name: string; members: string[] };

/** The owner's application keeps projects; their rooms above have the same members. */
export const projects: Project[] = [
  ...['atlas', 'borealis', 'cumulus'].map((alias) => {
    const room = rooms.find((candidate) => candidate.alias === alias)!;
    return { id: `prj_${alias}`, name: room.name.replace('Project ', ''), members: room.members };
  }),
  { id: 'prj_dune', name: 'Dune', members: ['erin', 'ken', 'ursula', 'yuki'] },
];
