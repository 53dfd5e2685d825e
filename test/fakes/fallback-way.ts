import type { OpsError } from '#domain/errors.ts';
import type { FallbackNotice, FallbackWay } from '#domain/fallback.ts';

/** Takes pages, unless it is told to fail. */
export class FakeFallbackWay implements FallbackWay {
  readonly name: string;
  readonly told: FallbackNotice[] = [];
  tries = 0;
  error: OpsError | undefined;

  constructor(name = 'pager') {
    this.name = name;
  }

  async tell(notice: FallbackNotice): Promise<void> {
    this.tries += 1;
    await Promise.resolve();
    if (this.error) throw this.error;
    this.told.push(notice);
  }
}
