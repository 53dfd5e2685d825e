import type { PartState } from '#domain/vitals.ts';
import { json, type Route, text } from './server.ts';

/** `GET /healthz`: this process answers. `GET /readyz`: its parts do. */
export function healthRoutes(parts: () => PartState[]): Map<string, Route> {
  return new Map<string, Route>([
    ['/healthz', { method: 'GET', answer: () => text(200, 'ok') }],
    [
      '/readyz',
      {
        method: 'GET',
        answer() {
          const all = parts();
          const ready = all.every((part) => part.ready);
          return json(ready ? 200 : 503, { ready, parts: all });
        },
      },
    ],
  ]);
}
