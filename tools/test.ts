// `npm test`: runs every test (or those whose path holds one of the arguments), says how many ran, and then looks
// whether they left anything behind: files in the work tree, temporary folders, processes. Something left behind is a
// failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Files that git would offer to add or commit; nothing where there is no git. */
function worktreeChanges(): Set<string> {
  const status = spawnSync("git", ["status", "--porcelain", "--untracked-files=all"], { cwd: root, encoding: "utf8" });
  return new Set(status.status === 0 ? status.stdout.split("\n").filter((line) => line !== "") : []);
}

/**
 * Processes that were started by the tests: they carry the tests' temporary folder in their environment. Linux only.
 */
function processesWith(folder: string): string[] {
  if (!existsSync("/proc/self/environ")) return [];
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`TMPDIR=${folder}`);
    } catch {
      return false; // gone already, or another user's
    }
  });
}

interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

function readCounts(path: string): Counts {
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"));
  return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 };
}

const changesBefore = worktreeChanges();
const own = mkdtempSync(join(tmpdir(), "tidemark-test-"));
const temporary = mkdtempSync(join(own, "tmp-"));
const report = join(own, "report.json");
const vitest = spawnSync(
  "vitest",
  ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { cwd: root, stdio: "inherit", env: { ...process.env, TMPDIR: temporary } },
);
if (vitest.error) throw vitest.error;

const leftBehind = [
  ...readdirSync(temporary).map((name) => `temporary: ${name}`),
  ...processesWith(temporary).map((pid) => `process: ${pid}`),
  ...[...worktreeChanges()].filter((line) => !changesBefore.has(line)).map((line) => `work tree: ${line}`),
];
for (const what of leftBehind) process.stdout.write(`Left behind by the tests: ${what}\n`);

const counts = readCounts(report);
const skipped = counts.numPendingTests + counts.numTodoTests;
const otherFailure = counts.numFailedTests === 0 && (vitest.status !== 0 || leftBehind.length > 0);
const failed = counts.numFailedTests + (otherFailure ? 1 : 0);
rmSync(own, { recursive: true, force: true });
process.stdout.write(
  `\n${counts.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
