import { defineJob } from '#engine/job.ts';

export default defineJob({
  title: 'daily backup',
  command: 'backup now',
  args: {},
  when: { setting: 'backups.schedule' },
  overlap: 'skip',
  missed: 'catch-up',
});
