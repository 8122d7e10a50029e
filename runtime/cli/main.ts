// Where the command `runtime` begins and ends: one exit code, whatever happens, with everything printed that was to be printed.
// A job's own stray handles do not keep it from ending.
import { runCommandLine } from "./command-line.ts";
import { showError } from "./error-screen.ts";
import { FAILED, WRONG_USE } from "./exit-codes.ts";
import { Screen } from "./screen.ts";

const screen = new Screen(process.stdout, process.stderr);
let isOver = false;

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
  showError(screen, error);
  process.exit(FAILED);
});

process.on("exit", (code) => {
  if (isOver || code !== 13) return;
  screen.log("error", "an await at the top of the job file never ends");
  process.exitCode = WRONG_USE;
});

const exitCode = await runCommandLine(process.argv.slice(2), screen);
isOver = true;
await Promise.all([process.stdout, process.stderr].map(written));
process.exit(exitCode);

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writable) stream.write("", () => resolve());
    else resolve();
  });
}
