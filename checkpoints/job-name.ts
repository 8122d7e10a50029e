// Which job names a store accepts. Every store checks a name before it becomes part of a path, a key or a statement, so
// that no name can point outside of the store's own place.
import { ConfigError } from "../runtime/index.ts";

const JOB_NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Whether `name` is 1–63 characters of a–z, 0–9, `_` and `-` and begins with a letter or a digit. */
export function isJobName(name: string): boolean {
  return JOB_NAME.test(name);
}

/**
 * Refuses what is no job name.
 * @throws ConfigError
 */
export function checkJobName(name: string): void {
  if (isJobName(name)) return;
  throw new ConfigError(`${JSON.stringify(name.slice(0, 80))} is not a job name`, {
    hint: "use 1 to 63 of a-z, 0-9, _ and -, beginning with a letter or a digit",
  });
}
