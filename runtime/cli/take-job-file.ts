// A flag that takes several values also swallows the job file when that is typed behind it: here it is taken back.
import { extname } from "node:path";
import { ConfigError } from "../errors.ts";

/**
 * The job file, from its place or from the end of a flag's values; and the values without it.
 * @throws ConfigError there is none
 */
export function takeJobFile(
  command: "replay" | "reset",
  jobFile: string | undefined,
  values: readonly string[],
): { readonly jobFile: string; readonly values: readonly string[] } {
  if (jobFile !== undefined) return { jobFile, values };
  const last = values.at(-1);
  if (last !== undefined && /^\.m?[jt]s$/.test(extname(last))) return { jobFile: last, values: values.slice(0, -1) };
  throw new ConfigError("the job file is missing", { hint: `name it first: runtime ${command} job.ts …` });
}
