import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseUserId } from '#domain/accounts.ts';
import { verifyAudit } from '#domain/audit.ts';
import { sealAudit } from '#domain/audit-seal.ts';
import { openStorage } from '#storage/open.ts';
import { type Figure, isMet, median, table } from './figures.ts';

const rows = 1_000_000;
const perChange = 10_000;
const sealEvery = 100;
const goalSeconds = 10;
const rounds = 3;

/** The whole record of a million acts, with its seals, beside one SHA-256 over the same bytes. */
export async function audit(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'opsroom-bench-audit-'));
  try {
    using storage = openStorage({ file: join(folder, 'opsroom.db') });
    const { ledger } = storage;
    const key = { origin: 'example.org/opsroom', ...generateKeyPairSync('ed25519') };
    const actor = parseUserId('@alice:example.org');
    const entry = (n: number) => ({
      at: n,
      actor,
      site: 'default',
      run: n >> 1,
      incident: undefined,
      act: 'disable',
      outcome: n % 2 ? 'done' : 'begun',
      detail: { hash: n.toString(16).padStart(64, '0'), plan: { user: `@user${n}:example.org`, rooms: [n, n + 1] } },
    });
    for (let from = 0; from < rows; from += perChange) {
      ledger.commit({ at: from, audit: Array.from({ length: perChange }, (_, n) => entry(from + n)) });
      const heads = [...ledger.auditAll(from)].filter(({ seq }) => seq % sealEvery === 0);
      const seals = heads.map(({ seq, hash, at }) => ({ seq, hash, at, outbox: undefined }));
      ledger.commit({ at: from, seals: seals.map((seal) => ({ ...seal, note: sealAudit(seal, key) })) });
    }
    const ours: number[] = [];
    const plain: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      plain.push(
        secondsOf(() => {
          const sum = createHash('sha256');
          for (const link of ledger.auditAll()) sum.update(JSON.stringify(link));
          sum.digest();
        }),
      );
      ours.push(
        secondsOf(() => {
          const verdict = verifyAudit(ledger.auditAll(), { seals: ledger.auditSeals(), key });
          if (!verdict.ok || verdict.rows !== rows || verdict.sealedTo !== rows)
            throw new Error('the record is not whole');
        }),
      );
    }
    return [
      {
        what: 'audit of 1,000,000 rows verified, of 10 s',
        unit: 's',
        ours: median(ours),
        baseline: goalSeconds,
        goal: 1,
      },
      { what: 'audit verified, of one SHA-256 over its rows', unit: 's', ours: median(ours), baseline: median(plain) },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function secondsOf(work: () => void): number {
  const begun = performance.now();
  work();
  return (performance.now() - begun) / 1000;
}

if (import.meta.main) {
  const figures = await audit();
  process.stdout.write(`${table(figures)}\n`);
  process.exitCode = figures.every(isMet) ? 0 : 1;
}
