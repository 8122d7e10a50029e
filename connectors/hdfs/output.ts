// A job's place in the sink's folder, and how a file gets there: written under a temporary name, moved into the staging
// folder, moved out of it to its own name. The first move fails for a writer that was shut out, whose staging folder is
// gone, and the second finds nothing to move; writing cannot be relied on for that, since it makes the folders above
// the file. So nothing is ever written into the staging folder itself.
import { randomBytes } from "node:crypto";
import { OutcomeUnknownError, TransientError } from "../../runtime/index.ts";
import type { FileStatus, HdfsFileSystem } from "./file-system.ts";

const TEMPORARY = /^_tmp-([a-z0-9][a-z0-9_-]*)-[0-9a-f]{16}$/;

/** An open folder of the sink. */
export interface Output {
  readonly fileSystem: HdfsFileSystem;
  readonly dir: string;
  readonly jobName: string;
  /** The first eight characters of its id. */
  readonly lineage: string;
  /** The path of this writer's own staging folder. */
  readonly staging: string;
  /** What the sink's files end with, without the first dot. */
  readonly extension: string;
  warn(message: string): void;
}

/** The error of a writer that a newer one has shut out; the log decides which of them goes on. */
export function shutOut({ dir, jobName }: Pick<Output, "dir" | "jobName">): TransientError {
  return new TransientError(`the output of "${jobName}" in ${dir} was taken over by another run`, {
    code: "SINK_FENCED",
    hint: `if there is no other run (an old checkpoint was put back), remove ${dir}/_staging-${jobName}-*`,
  });
}

/** A path for a file that is being written. */
export function temporaryPath({ dir, jobName }: Output): string {
  return `${dir}/_tmp-${jobName}-${randomBytes(8).toString("hex")}`;
}

/** The job whose temporary file this is, undefined for all else. */
export function jobOfTemporary({ name, isFolder }: FileStatus): string | undefined {
  return isFolder ? undefined : TEMPORARY.exec(name)?.[1];
}

/** How a file is published. */
export interface PublishOptions {
  readonly temporary: string;
  readonly name: string;
  /** Takes the place of a file of that name. */
  readonly replaces?: boolean;
  readonly signal: AbortSignal;
}

/**
 * Gives a temporary file its name in the sink's folder, unless a newer writer has shut this one out.
 * @throws TransientError it has, or the name is taken
 * @throws OutcomeUnknownError the reply was lost; opening the sink anew settles it
 */
export async function publish(output: Output, options: PublishOptions): Promise<void> {
  const { fileSystem, dir, staging } = output;
  const { temporary, name, replaces = false, signal } = options;
  const staged = `${staging}/${name}`;
  const target = `${dir}/${name}`;
  for (const [from, to] of [
    [temporary, staged],
    [staged, target],
  ] as const) {
    const moved = replaces ? await fileSystem.replace(from, to, signal) : await fileSystem.move(from, to, signal);
    if (moved === "missing") throw shutOut(output);
    if (moved === "taken") throw new OutcomeUnknownError(`${to} is there already: it is to be seen whose it is`);
  }
}
