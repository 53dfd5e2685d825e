import { defineJob } from '#engine/job.ts';

export default defineJob({
  title: 'daily report',
  command: 'report',
  args: { kind: 'daily' },
  when: { setting: 'reports.daily' },
  overlap: 'skip',
  missed: 'catch-up',
});
