import { loadCommands } from './app.ts';
import { loadChecks, loadJobs } from './watch.ts';

// `npm run warm`, once after an installation: what the bot loads is compiled into NODE_COMPILE_CACHE. Its first start is
// then as fast as the later ones, and the stripper of types never comes into its memory (25 MB).
await Promise.all([
  import('./settings.ts'),
  import('#adapters/system/log.ts'),
  loadCommands(),
  loadChecks(),
  loadJobs(),
]);
