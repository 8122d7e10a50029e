// Where the command `runtime` begins and ends: one exit code, whatever happens, with everything printed that was to
// be printed. A job's own stray handles do not keep it from ending.
import { runCommandLine } from "./command-line.ts";
import { showError } from "./error-screen.ts";
import { FAILED, WRONG_USE } from "./exit-codes.ts";
import { Screen } from "./screen.ts";

const screen = new Screen(process.stdout, process.stderr);

// Whoever reads our output may go away (`| head`): that is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.removeAllListeners("warning");
process.on("warning", (warning) => {
  // Type stripping is what runs the jobs: on Node 22 it still warns of itself.
  if (warning.name !== "ExperimentalWarning") screen.log("warning", `${warning.name}: ${warning.message}`);
});

// An error in a callback of the job's own, which no pipeline can catch: what is in hand runs again at the next start.
process.on("uncaughtException", (error) => {
  showError(screen, error, { during: "nothing caught this error" });
  process.exit(FAILED);
});

// Nothing is left that could go on, and yet it is not over.
process.on("beforeExit", () => {
  screen.log("error", "the job awaits something that never ends (is there an await at the top of its file?)");
  process.exit(WRONG_USE);
});

// Not awaited: nothing would be left to wait for when a job file's own await never ends.
void end(runCommandLine(process.argv.slice(2), screen));

async function end(running: Promise<number>): Promise<void> {
  const exitCode = await running;
  await Promise.all([process.stdout, process.stderr].map(written));
  process.exit(exitCode);
}

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writable) stream.write("", () => resolve());
    else resolve();
  });
}
