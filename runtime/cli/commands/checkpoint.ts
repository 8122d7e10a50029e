// `runtime checkpoint`: `copy` moves a job's checkpoint to another store, with its history and lineage; `import` makes
// a new job's from what another program saved (import.ts).
import { existsSync } from "node:fs";
import { extname } from "node:path";
import type { Command } from "commander";
import { type CopyResult, copyCheckpoint } from "../../programs/copy-checkpoint.ts";
import { addCommonFlags, type CommandContext, type CommonFlags, untilSignal, withJob } from "../command-context.ts";
import { DONE } from "../exit-codes.ts";
import { counted } from "../format.ts";
import { toJson } from "../json-output.ts";
import { addImport } from "./import.ts";

interface CopyFlags extends CommonFlags {
  readonly from: string;
  readonly to: string;
}

/** Adds the command and its subcommand. */
export function addCheckpoint(program: Command, context: CommandContext): void {
  const checkpoint = program
    .command("checkpoint")
    .summary("move a job's checkpoint, or import one from elsewhere")
    .description("Works on a job's checkpoint as a whole.")
    .helpOption("--help", "show this");
  const command = checkpoint
    .command("copy")
    .summary("move a job's checkpoint to another store")
    .description(
      "Moves a job's checkpoint, with its history, to another store. Nobody can go on at the old place from " +
        "then on. Broken off anywhere, the same command goes on. The job must not run.",
    )
    .argument("<job>", "job file, or the job's name (file: URLs are then relative to the current folder)")
    .requiredOption("--from <url>", "where the checkpoint is")
    .requiredOption("--to <url>", "where it is to go")
    .action((job: string, flags: CopyFlags) => copy(context, job, flags));
  addCommonFlags(command, "checkpoint copy --from file:.tidemark --to file:/srv/jobs job.ts");
  addImport(checkpoint, context);
}

async function copy(context: CommandContext, job: string, flags: CopyFlags): Promise<void> {
  const { from, to } = flags;
  if (!/^\.m?[jt]s$/.test(extname(job)) && !existsSync(job)) {
    await untilSignal(context, { job }, async (signal) => {
      tell(context, flags, job, await copyCheckpoint({ jobName: job, from, to, baseDir: ".", signal }));
      return DONE;
    });
    return;
  }
  await withJob(context, job, flags, async (loaded, { signal }) => {
    const { baseDir } = loaded;
    const { name } = loaded.job;
    const options = { jobName: name, from, to, baseDir, ...(signal === undefined ? {} : { signal }) };
    tell(context, flags, name, await copyCheckpoint(options));
    return DONE;
  });
}

function tell({ screen }: CommandContext, { json }: CopyFlags, job: string, result: CopyResult): void {
  if (json) {
    screen.print(toJson({ job, ...result }, { indent: true }));
    return;
  }
  const { entries, nextBatchId, to } = result;
  screen.print(`${job}: its checkpoint has moved to ${to} (${counted(entries, "entry", "entries")} of history)`);
  screen.print(`Next: set checkpoint: "${to}" in the job; its next start goes on with batch ${nextBatchId}.`);
}
