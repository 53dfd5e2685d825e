export type PartName = 'postgres' | 'synapse' | 'livekit' | 'prometheus' | 'alertmanager';
export type PartState = 'ready' | 'installing' | 'starting' | 'missing' | 'failed';
export type PartStatus = { part: PartName; state: PartState; note: string };

/** How far each part has come, for whoever asks while the rest already works. */
export class StatusBoard {
  readonly #parts = new Map<PartName, PartStatus>();

  set(part: PartName, state: PartState, note = ''): void {
    this.#parts.set(part, { part, state, note });
  }

  get(part: PartName): PartState | undefined {
    return this.#parts.get(part)?.state;
  }

  list(): PartStatus[] {
    return [...this.#parts.values()];
  }
}
