// Whether this is one of a job's own threads, where a job is loaded to run its tasks, and never to be run as a whole.
let isJobThread = false;

/** Said once, before the job is loaded. */
export function enterJobThread(): void {
  isJobThread = true;
}

/** Whether it was said in this thread. */
export function inJobThread(): boolean {
  return isJobThread;
}
