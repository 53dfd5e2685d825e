import { schedule } from 'node-cron';

/** Rings at the start of every minute of the wall clock. What is due then is not the bell's business. */
export function everyMinute(ring: () => void): AsyncDisposable {
  const task = schedule('* * * * *', ring);
  return {
    async [Symbol.asyncDispose]() {
      await task.destroy();
    },
  };
}
