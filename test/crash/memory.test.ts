// A job that runs for a long time needs no more memory than one that has just begun.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";

const PROGRAM = fileURLToPath(new URL("many-batches.ts", import.meta.url));
/** Of garbage that was not collected yet, not of what is kept: 100 bytes a batch would be more. */
const HEAP_NOISE_BYTES = 600_000;
/** Node's own; it grows at first and stays. */
const RSS_NOISE_BYTES = 120_000_000;

interface Look {
  readonly completed: number;
  readonly rss: number;
  readonly heapUsed: number;
}

const above = mkdtempSync(join(tmpdir(), "tidemark-memory-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));

it("keeps its memory flat over 10,000 batches", async () => {
  const args = ["--expose-gc", PROGRAM, above, "file", "1000", "4000", "10000"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const looks = stdout
    .trim()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Look);
  const [early, middle, late] = looks;
  if (early === undefined || middle === undefined || late === undefined) throw new Error(stdout);
  expect(late.completed).toBe(10_000);
  expect(late.heapUsed - middle.heapUsed, stdout).toBeLessThan(HEAP_NOISE_BYTES);
  expect(late.rss - early.rss, stdout).toBeLessThan(RSS_NOISE_BYTES);
}, 180_000);
