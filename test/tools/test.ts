// `npm test`: runs every test (or what its arguments, vitest's own, select), says how many ran, and then looks whether
// they left anything behind: files in the work tree, temporary folders, processes. Something left behind is a failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseCLI, startVitest, type TestModule } from "vitest/node";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Processes that were told to end get so long to do it. */
const endWithinMs = 3_000;

/** Files that git would offer to add or commit; none where there is no git. */
function worktreeChanges(): Set<string> {
  const status = spawnSync("git", ["status", "--porcelain", "--untracked-files=all"], { cwd: root, encoding: "utf8" });
  return new Set(status.status === 0 ? status.stdout.split("\n").filter((line) => line !== "") : []);
}

/** Other processes with the tests' temporary folder in their environment: those that the tests started. Linux only. */
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

async function processesLeftWith(folder: string): Promise<string[]> {
  const deadlineMs = Date.now() + endWithinMs;
  for (;;) {
    const left = processesWith(folder);
    if (left.length === 0 || Date.now() >= deadlineMs) return left;
    await sleep(50);
  }
}

const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };

function count(modules: readonly TestModule[]): void {
  for (const module of modules) {
    for (const test of module.children.allTests()) counts[test.result().state] += 1;
  }
}

const changesBefore = worktreeChanges();
const temporary = mkdtempSync(join(tmpdir(), "tidemark-test-"));
process.env["TMPDIR"] = temporary;
const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)]);
const reporters = ["default", { onTestRunEnd: count }];
const vitest = await startVitest("test", filter, { root, ...options, reporters });
await vitest.close();

const leftBehind = [
  ...(await processesLeftWith(temporary)).map((pid) => `process: ${pid}`),
  ...readdirSync(temporary).map((name) => `temporary: ${name}`),
  ...[...worktreeChanges()].filter((line) => !changesBefore.has(line)).map((line) => `work tree: ${line}`),
];
rmSync(temporary, { recursive: true, force: true });
for (const what of leftBehind) process.stdout.write(`Left behind by the tests: ${what}\n`);

// A test file that cannot be loaded, an error outside of a test, or something left behind is no failed test, but a
// failure.
const otherFailure = counts.failed === 0 && (Number(process.exitCode ?? 0) !== 0 || leftBehind.length > 0);
const failed = counts.failed + (otherFailure ? 1 : 0);
const skipped = counts.skipped + counts.pending;
process.stdout.write(`\n${counts.passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
process.exitCode = failed === 0 ? 0 : 1;
