import { createTask, validate } from 'node-cron';
import type { CronTimer } from './schedule.ts';

/**
 * The only file that knows node-cron. Its own overlap prevention stays off: runs are the
 * scheduler's business, here there are only ticks.
 * @param timezone an IANA name; the machine's when left out.
 */
export function createCronTimer(timezone?: string): CronTimer {
  return {
    isValid: validate,
    start: (expression, tick, missed) => {
      const task = createTask(
        expression,
        () => {
          tick();
        },
        { suppressMissedWarning: true, ...(timezone === undefined ? {} : { timezone }) },
      );
      task.on('execution:missed', missed);
      void task.start();
      return () => {
        void task.destroy();
      };
    },
  };
}
