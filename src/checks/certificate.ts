import { OpsError } from '#domain/errors.ts';
import { type CheckSample, defineCheck } from '#engine/check.ts';

const dayMs = 86_400_000;

export default defineCheck({
  part: 'certificate',
  title: 'certificates',
  everyMs: 3_600_000,
  timeoutMs: 15_000,
  needs: ['certificates'],
  unknownForMs: 6 * 3_600_000,
  values: {
    left_ms: { title: 'certificate of', unit: 'ms' },
    accepted: { title: 'certificate accepted of', unit: 'up' },
  },
  rules: [
    {
      name: 'certificate',
      alert: 'CertificateExpires',
      of: 'left_ms',
      is: 'below',
      warning: 21 * dayMs,
      critical: 7 * dayMs,
      forMs: 0,
      help: 'Renew it and reload the proxy.',
    },
    {
      name: 'certificate-accepted',
      alert: 'CertificateRefused',
      of: 'accepted',
      is: 'below',
      warning: 1,
      forMs: 0,
      help: 'Clients refuse it: wrong name, chain or authority.',
      inhibitedBy: ['certificate'],
    },
  ],
  async read({ certificates, clock }, _before, signal) {
    const read = async (host: string): Promise<CheckSample[]> => {
      try {
        const { validUntil, refusedBecause } = await certificates.read(host, signal);
        return [
          { name: 'left_ms', of: host, value: validUntil - clock.now() },
          { name: 'accepted', of: host, value: refusedBecause === undefined ? 1 : 0, note: refusedBecause },
        ];
      } catch (error) {
        const note = error instanceof OpsError ? error.message : String(error);
        return [{ name: 'left_ms', of: host, value: undefined, note }];
      }
    };
    return { samples: (await Promise.all(certificates.hosts.map(read))).flat() };
  },
});
