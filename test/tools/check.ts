// `npm run check`: what can be said about the code within a minute. Steps run two at a time; each prints one line with
// its time, and what a failed step printed follows at the end. Exits 1 when any step failed.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Step {
  readonly name: string;
  readonly command: readonly [file: string, ...args: string[]];
}

interface Result {
  readonly step: Step;
  readonly failed: boolean;
  readonly output: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const stepsAtOnce = 2;

/** The longest first, so that none of them is left over alone at the end. */
const steps: readonly Step[] = [
  { name: "package shape (build, pack, publint, attw)", command: ["node", "test/tools/check-package.ts"] },
  { name: "tidy and unit tests (vitest)", command: ["vitest", "run", "--reporter=dot", "test/tidy", "test/unit"] },
  { name: "types (tsc)", command: ["tsc", "--noEmit"] },
  { name: "layering (dependency-cruiser)", command: ["depcruise", "--output-type", "err-long", "."] },
  { name: "unused code (knip)", command: ["knip", "--no-progress"] },
  { name: "format and lint (biome)", command: ["biome", "check", "--error-on-warnings", "."] },
];

function run(step: Step): Promise<Result> {
  const [file, ...args] = step.command;
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1" };
    const child = spawn(file, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    const printed: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => printed.push(chunk));
    child.on("error", (error) => resolve({ step, failed: true, output: error.message }));
    child.on("close", (code) => resolve({ step, failed: code !== 0, output: Buffer.concat(printed).toString() }));
  });
}

function secondsSince(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1).padStart(5)} s`;
}

const startMs = performance.now();
const waiting = [...steps];
const failures: Result[] = [];

async function runWaiting(): Promise<void> {
  for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
    const stepStartMs = performance.now();
    const result = await run(step);
    process.stdout.write(`${result.failed ? "FAILED" : "ok    "} ${secondsSince(stepStartMs)}  ${step.name}\n`);
    if (result.failed) failures.push(result);
  }
}

await Promise.all(Array.from({ length: stepsAtOnce }, runWaiting));
for (const { step, output } of failures) {
  process.stdout.write(`\n── ${step.name}: ${step.command.join(" ")}\n${output.trimEnd()}\n`);
}
const outcome = failures.length === 0 ? "All is well" : `${failures.length} of ${steps.length} steps failed`;
process.stdout.write(`\n${outcome}, ${secondsSince(startMs).trim()}.\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
