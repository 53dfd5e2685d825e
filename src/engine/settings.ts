import { z } from 'zod';
import type { UserId } from '#domain/accounts.ts';
import { parseHandoff } from '#domain/rota.ts';
import { grantShape, parseGrant } from '#domain/grants.ts';
import { roles as roleNames } from '#domain/operators.ts';
import {
  cronLine,
  duration,
  filePath,
  limit,
  name,
  oneOf,
  parsed,
  some,
  timeZone,
  userId,
  wholeNumber,
} from '#domain/setting.ts';

export const people = some(
  z.strictObject({
    user: userId().describe('Their account.'),
    role: oneOf(roleNames).describe('owner > admin > operator > viewer.'),
    aka: z
      .array(userId(), { error: 'must be a list of user ids' })
      .default([])
      .describe('Their other accounts: one human, one vote.'),
    shell: name()
      .optional()
      .describe('Their Unix user on this machine, for `npm start -- exec` and `approve`: its name, or its number.'),
  }),
  'people',
)
  .superRefine((list, context) => {
    const seen = new Set<UserId>();
    for (const [at, person] of list.entries()) {
      for (const user of [person.user, ...person.aka]) {
        if (seen.has(user)) context.addIssue({ code: 'custom', message: `names ${user} a second time`, path: [at] });
        seen.add(user);
      }
    }
  })
  .meta({
    description: 'Who may command. These are fixed; others come and go by !people.',
    example: [
      { user: '@alice:example.org', role: 'owner', shell: 'alice', aka: ['@alice-admin:example.org'] },
      { user: '@bob:example.org', role: 'operator' },
    ],
  });

type Accounts = { matrix: { userId: UserId }; people: readonly { user: UserId; aka: readonly UserId[] }[] };

/** The bot's account is no person's: it would be its own second person, and nobody's commands would be heard from it. */
export function botIsNobody({ matrix, people: listed }: Accounts, context: z.RefinementCtx): void {
  for (const [at, { user, aka }] of listed.entries()) {
    if (![user, ...aka].includes(matrix.userId)) continue;
    const message = `names ${matrix.userId}, which is the bot's own account (matrix.userId)`;
    context.addIssue({ code: 'custom', message, path: ['people', at] });
  }
}

// Time for a tap on a phone, and for everybody in the room to say no where silence is a yes.
const leastAnswerMs = 5000;
const leastAloneMs = 5 * 60_000;
const answerTime = () => duration().refine((ms) => ms >= leastAnswerMs, { error: 'must be 5s or more' });
const aloneTime = () =>
  duration().refine((ms) => ms >= leastAloneMs, { error: 'must be 5m or more: silence is a yes then' });

const aloneShape = 'must be refuse or { wait: 30m, announce: everyone }';
export const approvals = z
  .strictObject({
    caller: answerTime().prefault('5m').describe('How long the caller may think before their own ✅.'),
    twoPerson: answerTime().prefault('30m').describe('How long a second person may take.'),
    alone: z
      .union([oneOf(['refuse']), z.strictObject({ wait: aloneTime(), announce: oneOf(['everyone']) })], {
        error: aloneShape,
      })
      .prefault('refuse')
      .describe('When there is no second person: refuse, or { wait: 30m, announce: everyone } for a team of one.'),
  })
  .transform(({ caller, twoPerson, alone }) => ({
    callerMs: caller,
    twoPersonMs: twoPerson,
    alone: alone === 'refuse' ? undefined : { waitMs: alone.wait },
  }))
  .prefault({})
  .describe('How long a question stays open.');

const powerLevel = 'must be a power level, a whole number such as 50';
const roleRule = z
  .strictObject({
    powerLevel: z
      .int({ error: powerLevel })
      .optional()
      .describe('The role counts only for people with this power level in the room. Left out: not asked.'),
    grants: z
      .array(parsed(parseGrant, grantShape), { error: 'must be a list of commands' })
      .default([])
      .describe('Commands beyond what the role may: a name, and "unless" with conditions joined by "or".'),
  })
  .optional();
export const roles = z
  .strictObject({ viewer: roleRule, operator: roleRule, admin: roleRule, owner: roleRule })
  .prefault({})
  .meta({
    description: 'What a role asks beside the list of people, and what it may beyond its own commands.',
    example: { operator: { powerLevel: 50, grants: ['export unless target-admin'] } },
  });

export const limits = z
  .strictObject({
    users: wholeNumber(1, 10_000).default(5).describe('Named or matched users above which two people are needed.'),
    rooms: wholeNumber(1, 10_000).default(10).describe('The same for rooms.'),
    perHour: wholeNumber(1, 10_000)
      .default(20)
      .describe('Changes of one person in an hour, above which two people are needed. Emergencies are never capped.'),
  })
  .prefault({})
  .describe('Caps on one change.');

const severity = () => limit().optional();
export const rules = z
  .record(
    z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be the name of a rule such as sync-latency'),
    z
      .strictObject({
        warning: severity().describe('Limit of a warning.'),
        critical: severity().describe('Limit that pages.'),
        for: duration().optional().describe('How long it must hold.'),
        off: z.boolean({ error: 'must be true or false' }).default(false).describe('Not watched at all.'),
      })
      .transform(({ for: time, ...rest }) => ({ ...rest, forMs: time })),
  )
  .default({})
  .meta({
    description: "Limits other than the built-in ones, by the rule's name: seconds, bytes, shares or counts.",
    example: { 'sync-latency': { critical: '5s' } },
  });

const handoffShape = 'must be a time such as "Mon 09:00"';
export const onCall = z
  .strictObject({
    layers: z
      .array(
        z
          .strictObject({
            name: name().describe('Its name.'),
            rotation: oneOf(['daily', 'weekly']).describe('How long one turn is.'),
            handoff: z
              .string({ error: handoffShape })
              .refine((text) => parseHandoff(text) !== undefined, { error: handoffShape })
              .describe('When a turn begins: "Mon 09:00", for a daily rotation "09:00".'),
            timezone: timeZone().optional().describe("The hand-off's time zone, if not the bot's."),
            people: some(userId(), 'user ids').describe('In this order.'),
          })
          .refine((layer) => (layer.rotation === 'weekly') === (parseHandoff(layer.handoff)?.weekday !== undefined), {
            error: 'must have a day ("Mon 09:00") in a weekly rotation and none in a daily one',
            path: ['handoff'],
          }),
        { error: 'must be a list' },
      )
      .default([])
      .meta({
        description: 'Who is on call when. Without layers the owners are.',
        example: [
          {
            name: 'primary',
            rotation: 'weekly',
            handoff: 'Mon 09:00',
            people: ['@alice:example.org', '@bob:example.org'],
          },
        ],
      }),
    escalation: some(
      z
        .strictObject({
          after: duration().describe('Time since the incident opened.'),
          notify: oneOf(['on-call', 'next', 'everyone']).describe('Whom.'),
        })
        .transform(({ after, notify }) => ({ afterMs: after, notify })),
      'steps',
    )
      .refine((steps) => steps.every((step, at) => at === 0 || step.afterMs > (steps[at - 1]?.afterMs ?? 0)), {
        error: 'must have each step later than the one before',
      })
      .prefault([
        { after: '0s', notify: 'on-call' },
        { after: '5m', notify: 'next' },
        { after: '15m', notify: 'everyone' },
      ])
      .describe('Whom an unanswered page goes to.'),
    repeat: duration().prefault('15m').describe('After the last step, everyone is paged again this often.'),
    ackTimeout: duration().prefault('60m').describe('An acknowledged incident that goes on pages again after this.'),
  })
  .transform(({ repeat, ackTimeout, ...rest }) => ({ ...rest, repeatMs: repeat, ackTimeoutMs: ackTimeout }))
  .prefault({})
  .describe('Who is woken.');

export const reports = z
  .strictObject({ daily: cronLine().prefault('0 9 * * *').describe('The daily report.') })
  .prefault({})
  .describe('What the bot tells by itself. Cron lines in `timezone`, or off.');

export const backups = z
  .strictObject({
    directory: filePath().meta({
      description: 'Where the sets lie, with room for two; made when it is missing.',
      example: '/backups/matrix',
    }),
    schedule: cronLine().prefault('0 2 * * *').describe('When one is made: a cron line in `timezone`, or off.'),
    keepDays: wholeNumber(1, 3650).default(30).describe('Sets older than this are removed…'),
    minKeep: wholeNumber(3, 1000).default(3).describe('…but never below this number, nor the newest verified one.'),
    verify: oneOf(['each', 'never'])
      .default('each')
      .describe('Restore each scheduled set into a scratch database and count.'),
    include: some(oneOf(['database']), 'database')
      .default(['database'])
      .describe('What goes into a set.'),
  })
  .describe('Backups, made by the bot.');
