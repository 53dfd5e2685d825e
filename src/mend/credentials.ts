import { randomBytes } from 'node:crypto';
import { OpsError } from '#domain/errors.ts';
import { Secret } from '#domain/secret.ts';
import { localpartOf } from '#domain/accounts.ts';
import { sharedSecretMaker } from '../init/accounts.ts';
import { meetSynapse, part, refused } from '../init/homeserver.ts';
import { liftRateLimit } from '../init/prove.ts';
import type { Check, Fault } from './fault.ts';
import { type MendWorld, ownerIn } from './world.ts';

const newPassword = (): Secret => new Secret(randomBytes(24).toString('base64url'));
const whoami = '/_matrix/client/v3/account/whoami';

export const homeserverCheck = (world: MendWorld): Check => ({
  part: 'homeserver',
  blocks: true,
  async look() {
    await meetSynapse(world.synapse);
    return undefined;
  },
});

/** The admin token: all else is easier with it, so it comes first. */
export const adminTokenCheck = (world: MendWorld): Check => ({
  part: 'admin token',
  async look() {
    const why = await whyNoAdmin(world);
    if (why === undefined) return undefined;
    const secret = world.settings.synapse.registrationSharedSecret;
    const url = world.settings.synapse.url;
    const file = world.places.where('synapse.adminToken');
    return {
      what: why,
      act: secret && {
        title: `make a new server admin with the registration shared secret, and put its token into ${file}`,
        run: () => newAdmin(world, secret),
      },
      person: [
        `Put registration_shared_secret of homeserver.yaml into a file of mode 0600, name it in the settings as synapse: { registrationSharedSecret: { file: PATH } }, and run mend again. Or, on the machine of Synapse:`,
        `  register_new_matrix_user -c homeserver.yaml --admin -u opsroom-admin-2 ${url}`,
        `  curl -s ${url}/_matrix/client/v3/login -d '{"type":"m.login.password","user":"opsroom-admin-2","password":"…"}'`,
        `  and put the access_token of its answer into ${file}.`,
      ],
    };
  },
});

async function whyNoAdmin(world: MendWorld): Promise<string | undefined> {
  const token = world.adminToken;
  world.admin = undefined;
  const doing = 'find out whose admin token it is';
  const answer = await world.synapse.ask({ method: 'GET', path: whoami, token, doing });
  if (answer.errcode === 'M_USER_LOCKED') return 'the account of synapse.adminToken is locked';
  if (answer.status === 401) return 'synapse.adminToken is not accepted (any more)';
  if (!answer.ok) throw refused(doing, answer);
  const user = ownerIn(answer);
  const path = `/_synapse/admin/v2/users/${part(user)}`;
  const self = await world.synapse.ask({ method: 'GET', path, token, doing: `look up ${user}` });
  if (self.ok && self.data['admin'] === true) {
    world.admin = user;
    return undefined;
  }
  if (self.status === 403 || self.ok) return `${user}, whose token synapse.adminToken is, is not a server admin`;
  throw refused(`look up ${user}`, self);
}

async function newAdmin(world: MendWorld, secret: Secret): Promise<string> {
  const stamp = new Date(world.clock.now()).toISOString().replaceAll(/\D/g, '').slice(0, 14);
  const localpart = `opsroom-admin-${stamp}`;
  const wanted = {
    localpart,
    displayName: 'Opsroom admin',
    admin: true,
    secrets: 'synapse-admin',
    flag: 'admin',
  } as const;
  const made = await sharedSecretMaker(world.synapse, secret)(wanted, newPassword(), world.deviceName);
  if (made === 'taken' || made.token === undefined) {
    throw new OpsError('conflict', `@${localpart} is taken. Nothing was changed.`, { hint: 'Run it again.' });
  }
  const token = world.keep(made.token, 'synapse.adminToken');
  const file = await world.places.put('synapse.adminToken', token);
  world.adminToken = token;
  world.renewed = true;
  await liftRateLimit(world.synapse, token, `@${localpart}:${world.server}` as MendWorld['bot']);
  world.places.steps.push(
    `The admin account from before is left as it is. When nothing else uses it, in the room: !deactivate @its-name`,
  );
  return `made @${localpart}:${world.server}; its token is in ${file}`;
}

/** What stands in the way of the account itself. Nothing is known of it without an admin token. */
export const accountCheck = (world: MendWorld): Check => ({
  part: 'bot account',
  blocks: true,
  async look(): Promise<Fault | undefined> {
    if (world.admin === undefined) return undefined;
    const { bot } = world;
    const path = `/_synapse/admin/v2/users/${part(bot)}`;
    const doing = `look up ${bot}`;
    const found = await world.synapse.ask({ method: 'GET', path, token: world.adminToken, doing });
    if (found.status === 404 && found.errcode !== 'M_UNRECOGNIZED') {
      return {
        what: `there is no account ${bot}`,
        person: ['npm start -- init --force makes a bot, its room and its settings anew.'],
      };
    }
    if (!found.ok) throw refused(doing, found);
    const { deactivated, locked, suspended, shadow_banned: shadowBanned } = found.data;
    if (deactivated === true) return reopen(world, path);
    const person = [`Ask another server admin to mend the account ${bot}.`];
    if (locked === true) {
      const title = `unlock ${bot}`;
      const ask = { method: 'PUT', path, body: { locked: false }, doing: title } as const;
      return { what: `${bot} is locked`, act: { title, run: () => world.asAdmin(ask).then(() => title) }, person };
    }
    const v1 = '/_synapse/admin/v1';
    if (suspended === true) {
      const title = `end the suspension of ${bot}`;
      const ask = {
        method: 'PUT',
        path: `${v1}/suspend/${part(bot)}`,
        body: { suspend: false },
        doing: title,
      } as const;
      return { what: `${bot} is suspended`, act: { title, run: () => world.asAdmin(ask).then(() => title) }, person };
    }
    if (shadowBanned !== true) return undefined;
    const title = `end the shadow ban of ${bot}`;
    const ask = { method: 'DELETE', path: `${v1}/users/${part(bot)}/shadow_ban`, doing: title } as const;
    return {
      what: `${bot} is shadow-banned: it speaks and nobody hears it`,
      act: { title, run: () => world.asAdmin(ask).then(() => title) },
      person,
    };
  },
});

/** A Synapse that was just installed or upgraded still builds what this needs. */
function notYet(error: unknown): never {
  if (!(error instanceof OpsError) || error.kind !== 'unavailable') throw error;
  const hint = 'A young Synapse still builds its indexes: wait some minutes and run mend again; it is safe to repeat.';
  throw new OpsError('unavailable', error.message, { effect: error.effect, hint, cause: error });
}

/** A closed account opens with a password only; what it had (devices, keys, rooms) is gone. */
function reopen(world: MendWorld, path: string): Fault {
  const { bot, places } = world;
  const kept = world.password;
  const where = kept === undefined ? `a new password (into ${places.where('matrix.password')})` : 'matrix.password';
  const title = `open ${bot} again with ${where}`;
  const run = async (): Promise<string> => {
    const password = kept ?? world.keep(newPassword(), 'matrix.password');
    if (kept === undefined) await places.put('matrix.password', password);
    const body = { deactivated: false, password: password.reveal() };
    await world.asAdmin({ method: 'PUT', path, body, doing: `open ${bot} again` }).catch(notYet);
    world.password = password;
    return `${bot} is open again; its rooms and devices from before are gone`;
  };
  return {
    what: `${bot} is deactivated`,
    act: { title, run },
    person: [`Another server admin can open ${bot} again.`],
  };
}

/** The bot's own token: by its password, else by a new password that the admin token sets. */
export const botTokenCheck = (world: MendWorld): Check => {
  let refusedPassword = false;
  return {
    part: 'bot token',
    blocks: true,
    async look(): Promise<Fault | undefined> {
      const { bot, places } = world;
      const doing = 'find out whose token it is';
      const answer = await world.asBot({ method: 'GET', path: whoami, doing });
      const file = places.where('matrix.accessToken');
      const person = [
        `curl -s ${world.settings.matrix.homeserverUrl}/_matrix/client/v3/login -d '{"type":"m.login.password","user":"${localpartOf(bot)}","password":"…"}'`,
        `  and put the access_token of its answer into ${file}. Without the password: mend the admin token first.`,
      ];
      if (answer.ok) {
        const owner = ownerIn(answer);
        if (owner === bot) return undefined;
        const what = `matrix.accessToken belongs to ${owner}, not to ${bot}`;
        return { what, person: [`Change matrix.userId in the settings, or the token in ${file}.`] };
      }
      if (answer.errcode === 'M_USER_LOCKED') {
        const unlock = `curl -X PUT -H "Authorization: Bearer $ADMIN_TOKEN" ${world.settings.synapse.url}/_synapse/admin/v2/users/${part(bot)} -d '{"locked":false}'`;
        return { what: `${bot} is locked, and only a server admin can unlock it`, person: [unlock] };
      }
      if (answer.status !== 401) throw refused(doing, answer);
      const what = 'matrix.accessToken is not accepted (any more)';
      const known = refusedPassword ? undefined : world.password;
      if (known !== undefined) {
        const run = async (): Promise<string | { nothing: string }> => {
          const done = await login(world, known);
          refusedPassword = done === undefined;
          return done ?? { nothing: 'matrix.password is not the password of the account; nothing was changed' };
        };
        return {
          what,
          act: { title: `log in as ${bot} with matrix.password; the token goes into ${file}`, run },
          person,
        };
      }
      if (world.admin === undefined) return { what, person };
      const title = `give ${bot} a new password (into ${places.where('matrix.password')}) and log in; the token goes into ${file}`;
      return { what, act: { title, run: () => setPasswordAndLogin(world) }, person };
    },
  };
};

async function setPasswordAndLogin(world: MendWorld): Promise<string> {
  const { bot } = world;
  const password = world.keep(newPassword(), 'matrix.password');
  // On the disk first: a run that is cut off must not leave an account whose password nobody has.
  await world.places.put('matrix.password', password);
  const body = { password: password.reveal(), logout_devices: false };
  await world.asAdmin({
    method: 'PUT',
    path: `/_synapse/admin/v2/users/${part(bot)}`,
    body,
    doing: `set the password of ${bot}`,
  });
  world.password = password;
  const done = await login(world, password);
  if (done === undefined) throw new OpsError('conflict', `${bot} cannot log in with the password that was just set.`);
  return done;
}

/** Undefined when the password isn't the account's. */
async function login(world: MendWorld, password: Secret): Promise<string | undefined> {
  const doing = `log in as ${world.bot}`;
  const answer = await world.client.ask({
    method: 'POST',
    path: '/_matrix/client/v3/login',
    doing,
    body: {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: localpartOf(world.bot) },
      password: password.reveal(),
      initial_device_display_name: world.deviceName,
    },
  });
  if (answer.status === 403 && answer.errcode === 'M_FORBIDDEN') return undefined;
  if (!answer.ok) throw refused(doing, answer);
  const token = world.keep(new Secret(String(answer.data['access_token'])), 'matrix.accessToken');
  const file = await world.places.put('matrix.accessToken', token);
  world.botToken = token;
  world.renewed = true;
  return `${world.bot} has a new token in ${file}`;
}

export const rateLimitCheck = (world: MendWorld): Check => ({
  part: 'rate limit',
  async look(): Promise<Fault | undefined> {
    if (world.admin === undefined) return undefined;
    const { bot } = world;
    const path = `/_synapse/admin/v1/users/${part(bot)}/override_ratelimit`;
    const known = await world.asAdmin({ method: 'GET', path, doing: `read the rate limit of ${bot}` });
    if (known['messages_per_second'] === 0 && known['burst_count'] === 0) return undefined;
    const run = async (): Promise<string> => {
      await liftRateLimit(world.synapse, world.adminToken, bot);
      return 'it may speak as fast as it has to';
    };
    return {
      what: `${bot} may send 10 messages, then one in 5 s`,
      act: { title: `lift the rate limit of ${bot}`, run },
      person: [],
    };
  },
});
