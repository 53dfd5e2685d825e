import { stringify } from 'yaml';
import type { DataSecrets } from './state.ts';

export type RateLimits = 'default' | 'lifted';

export type SynapseConfig = {
  serverName: string;
  dir: string;
  port: number;
  metricsPort: number;
  postgresPort: number;
  rateLimits: RateLimits;
  secrets: DataSecrets;
};

const high = { per_second: 10_000, burst_count: 10_000 };

/** Setting the place up needs many logins, joins and rooms; what a person or bot meets when sending stays as it is. */
const raised = {
  rc_login: { address: high, account: high, failed_attempts: high },
  rc_registration: high,
  rc_registration_token_validity: high,
  rc_joins: { local: high, remote: high },
  rc_joins_per_room: high,
  rc_invites: { per_room: high, per_user: high, per_issuer: high },
  rc_room_creation: high,
  rc_media_create: high,
};

const lifted = {
  rc_message: high,
  rc_admin_redaction: high,
  rc_reports: high,
  rc_user_directory: high,
  rc_delayed_event_mgmt: high,
};

/** homeserver.yaml: PostgreSQL, metrics, loopback only, nothing goes out. */
export function homeserverYaml(config: SynapseConfig): string {
  const { secrets } = config;
  const listener = { bind_addresses: ['127.0.0.1'], tls: false };
  return stringify({
    server_name: config.serverName,
    public_baseurl: `http://127.0.0.1:${config.port}/`,
    pid_file: `${config.dir}/homeserver.pid`,
    listeners: [
      {
        ...listener,
        port: config.port,
        type: 'http',
        resources: [{ names: ['client', 'federation'], compress: false }],
      },
      { ...listener, port: config.metricsPort, type: 'metrics' },
    ],
    database: {
      name: 'psycopg2',
      args: {
        user: 'synapse',
        password: secrets.synapsePassword,
        dbname: 'synapse',
        host: '127.0.0.1',
        port: config.postgresPort,
        cp_min: 3,
        cp_max: 10,
      },
    },
    log_config: `${config.dir}/log.yaml`,
    media_store_path: `${config.dir}/media_store`,
    signing_key_path: `${config.dir}/${config.serverName}.signing.key`,
    registration_shared_secret: secrets.registration,
    macaroon_secret_key: secrets.macaroon,
    form_secret: secrets.form,
    enable_registration: false,
    enable_metrics: true,
    report_stats: false,
    bcrypt_rounds: 4,
    presence: { enabled: false },
    url_preview_enabled: false,
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    federation_domain_whitelist: [],
    allow_public_rooms_over_federation: false,
    app_service_config_files: [`${config.dir}/telegram.yaml`],
    server_notices: { system_mxid_localpart: 'notices', system_mxid_display_name: 'Server notices' },
    ...raised,
    ...(config.rateLimits === 'lifted' ? lifted : {}),
  });
}

/** A bridge to another network; its users are "ghosts" that no person logs in to. */
export function appserviceYaml(serverName: string, secrets: DataSecrets): string {
  const escaped = serverName.replaceAll('.', '\\.');
  return stringify({
    id: 'telegram',
    url: null,
    as_token: secrets.appserviceToken,
    hs_token: secrets.appserviceHsToken,
    sender_localpart: 'telegrambot',
    rate_limited: false,
    namespaces: { users: [{ exclusive: true, regex: `@telegram_.*:${escaped}` }], aliases: [], rooms: [] },
  });
}

/** To the standard error, which the sandbox redirects into the part's log file. */
export function logYaml(): string {
  return stringify({
    version: 1,
    disable_existing_loggers: false,
    formatters: {
      plain: { format: '%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s' },
    },
    handlers: { stderr: { class: 'logging.StreamHandler', formatter: 'plain' } },
    root: { level: 'INFO', handlers: ['stderr'] },
  });
}
