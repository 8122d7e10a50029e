// From what was typed to a job: finds the file, imports it as a module and looks at its default export. Whatever is
// wrong with it is told as a mistake of the job file, never as a failure of ours.
import { type Dirent, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import type { Job } from "../contract/job.ts";
import { isJob } from "../define-job.ts";
import { ConfigError } from "../errors.ts";
import { nearest } from "../suggest.ts";
import { jobArguments } from "./command-names.ts";
import { explainLoadFailure } from "./explain-load-failure.ts";
import { JobFileError } from "./job-file-error.ts";
import { importJobModule } from "./job-modules.ts";

export interface LoadedJob {
  readonly job: Job;
  /** Absolute. */
  readonly path: string;
  /** What names it, and its checkpoint, in a command to type next. */
  readonly args: readonly string[];
  /** The folder that the job's relative paths are relative to. */
  readonly baseDir: string;
}

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

/**
 * Loads the job of one file; `checkpoint`: the URL that was typed with it.
 * @throws JobFileError there is no such file, or it does not give a job
 */
export async function loadJob(typed: string, checkpoint: string | undefined): Promise<LoadedJob> {
  const path = resolve(typed);
  checkFile(path, typed);
  let loaded: Record<string, unknown>;
  try {
    loaded = await importJobModule(path);
  } catch (error) {
    throw await explainLoadFailure(error, path, typed);
  }
  return { job: jobOf(loaded, typed), path, args: jobArguments(typed, checkpoint), baseDir: dirname(path) };
}

/** Loads the jobs of several files, each once. @throws JobFileError; ConfigError two of them have the same name */
export async function loadJobs(typedPaths: readonly string[], checkpoint: string | undefined): Promise<LoadedJob[]> {
  const loaded: LoadedJob[] = [];
  for (const typed of typedPaths) {
    const next = await loadJob(typed, checkpoint);
    const same = loaded.find(({ job }) => job.name === next.job.name);
    if (same?.path === next.path) throw new ConfigError(`${typed} is named twice`);
    if (same !== undefined) {
      throw new ConfigError(`two jobs are named "${next.job.name}": ${same.args[0]} and ${typed}`, {
        hint: "a job's name is the key of its checkpoint: give each its own",
      });
    }
    loaded.push(next);
  }
  return loaded;
}

function checkFile(path: string, typed: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new JobFileError(`there is no file ${typed}`, { hint: hintForMissing(path, typed) });
  if (found.isDirectory()) {
    const files = jobFilesIn(path);
    const likely = files.includes("job.ts") ? "job.ts" : files.length === 1 ? files[0] : undefined;
    throw new JobFileError(`${typed} is a folder, not a job file`, {
      hint: likely === undefined ? `it has ${listed(files)}` : `is it ${join(typed, likely)}?`,
    });
  }
  if (EXTENSIONS.includes(extname(path))) return;
  throw new JobFileError(`${typed} is no job file: its name does not end with ${EXTENSIONS.join(", ")}`, {
    hint: "a job is an ES module with a default export made by defineJob",
  });
}

function hintForMissing(path: string, typed: string): string {
  const files = jobFilesIn(dirname(path));
  const near = nearest(basename(path), files) ?? files.find((file) => basename(file, extname(file)) === basename(path));
  if (near !== undefined) return `did you mean ${join(dirname(typed), near)}?`;
  return `${relative(process.cwd(), dirname(path)) || "this folder"} has ${listed(files)}`;
}

function listed(files: readonly string[]): string {
  if (files.length === 0) return "no .ts or .js files";
  const some = files.slice(0, 5).join(", ");
  return files.length > 5 ? `${some} and ${files.length - 5} more` : some;
}

function jobFilesIn(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => entry.isFile() && EXTENSIONS.includes(extname(entry.name)) && !entry.name.endsWith(".d.ts"))
    .map(({ name }) => name)
    .sort();
}

function jobOf(loaded: Record<string, unknown>, typed: string): Job {
  const exported = loaded["default"];
  if (isJob(exported)) return exported;
  const hint = "export default defineJob({ name: …, source: …, pipeline: …, sink: … })";
  const named = Object.keys(loaded).find((name) => isJob(loaded[name]));
  if (named !== undefined) {
    throw new JobFileError(`${typed} exports its job as "${named}", and must export it as default`, {
      hint: `write: export default ${named}`,
    });
  }
  if (!("default" in loaded)) throw new JobFileError(`${typed} has no default export`, { hint });
  const what = describeExport(exported);
  throw new JobFileError(`the default export of ${typed} is ${what}, not a job`, {
    hint: what === "a function" ? "export what defineJob returns, not a function that makes it" : hint,
  });
}

function describeExport(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (value instanceof Promise) return "a promise";
  if (Array.isArray(value)) return "an array";
  if (typeof value !== "object") return typeof value === "undefined" ? "undefined" : `a ${typeof value}`;
  const looksLikeDefinition = "source" in value && "pipeline" in value;
  return looksLikeDefinition ? "the plain object that defineJob takes" : "an object";
}
