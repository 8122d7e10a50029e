// The package as its users get it: packed, installed in a folder of its own, and run there by a job that is written
// against the published types; on each Node that the README names.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mustRun, readRows, root, run, temporaryFolder, writeFiles } from "./sandbox.ts";

const job = `
import { filter, map } from "rxjs";
import { defineJob, json } from "tidemark";
import { fileSink, fileSource } from "tidemark/connectors/files";

interface Payment { id: number; amount: number }

export default defineJob({
  name: "large-payments",
  source: fileSource({ dir: "payments", value: json<Payment>(), startingOffsets: "earliest" }),
  pipeline: (records$, task) => records$.pipe(
    filter((record) => record.value.amount > 50),
    map(({ value, offset }) => ({ id: value.id, partition: task.partition, offset: String(offset) })),
  ),
  sink: fileSink({ dir: "large", format: "ndjson" }),
  trigger: "available-now",
  maxOffsetsPerBatch: 4,
});
`;

const wrongJob = job.replace("value.amount > 50", "value.amuont > 50");

const tsconfig = {
  compilerOptions: {
    module: "nodenext",
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    types: ["node"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  },
  files: ["job.ts"],
};

const payments = (ids: readonly number[]) => ids.map((id) => `${JSON.stringify({ id, amount: id * 10 })}\n`).join("");

const expectedRows = [6, 7, 8, 9, 10].map((id) => ({
  id,
  partition: id % 2,
  offset: String(Math.floor((id - 1) / 2)),
}));

/** A project that uses the package, below `parent`, whose node_modules it finds. */
function makeProject(parent: string, name: string, type: "module" | "commonjs"): string {
  const folder = join(parent, name);
  writeFiles(folder, {
    "package.json": { name, private: true, type },
    "job.ts": job,
    "tsconfig.json": tsconfig,
    "payments/0.ndjson": payments([2, 4, 6, 8, 10]),
    "payments/1.ndjson": payments([1, 3, 5, 7, 9]),
  });
  return folder;
}

describe("the installed package", { timeout: 120_000 }, () => {
  const temporary = temporaryFolder();
  const parent = join(temporary.path, "user");
  const installed = join(parent, "node_modules");
  const launcher = join(installed, "tidemark", "dist", "runtime", "cli", "launch.js");
  const nodes = join(temporary.path, "nodes");
  const nodeFolder = (major: number) => join(nodes, `node-${major}`, "node_modules", "node", "bin");

  beforeAll(async () => {
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];
    writeFiles(parent, { "package.json": { name: "user", private: true } });
    const pack = mustRun("npm", ["pack", "--loglevel=error", "--pack-destination", temporary.path], { cwd: root });
    for (const major of [20, 22]) {
      const cwd = join(nodes, `node-${major}`);
      writeFiles(cwd, { "package.json": { private: true, allowScripts: { node: true } } });
      await mustRun("npm", ["install", ...quiet, `node@${major}`], { cwd });
    }
    await pack;
    const tarball = readdirSync(temporary.path).find((name) => name.endsWith(".tgz")) ?? "no tarball";
    const packages = [join(temporary.path, tarball), "rxjs@7", "typescript@6", "@types/node@24"];
    await mustRun("npm", ["install", ...quiet, ...packages], { cwd: parent });
  }, 180_000);

  afterAll(() => temporary[Symbol.dispose]());

  async function expectItRuns(
    folder: string,
    command: readonly [string, ...string[]],
    first: readonly string[],
    flags: readonly string[] = [],
  ) {
    const [file, ...args] = command;
    const firstRun = await run(file, [...args, "start", "job.ts", ...flags], { cwd: folder, first });
    expect(firstRun, firstRun.stderr).toMatchObject({ code: 0 });
    const rows = readRows(join(folder, "large")).map((row) => JSON.parse(row));
    expect(rows.sort((a, b) => a.id - b.id)).toEqual(expectedRows);
    const secondRun = await run(file, [...args, "start", "job.ts"], { cwd: folder, first });
    expect(secondRun, secondRun.stderr).toMatchObject({ code: 0 });
    expect(readRows(join(folder, "large"))).toHaveLength(expectedRows.length);
  }

  it("has types that a strict job compiles against, and that find a mistake in one", async () => {
    const folder = makeProject(parent, "types", "module");
    await mustRun("npx", ["tsc"], { cwd: folder, first: [nodeFolder(22)] });
    writeFiles(folder, { "job.ts": wrongJob });
    const wrong = await run("npx", ["tsc"], { cwd: folder, first: [nodeFolder(22)] });
    expect(wrong.stdout).toContain("Did you mean 'amount'?");
  });

  it.each(["module", "commonjs"] as const)("runs a job on Node 24 in a project of type %s", async (type) => {
    const node24 = join(root, "node_modules", "node", "bin");
    await expectItRuns(makeProject(parent, `on-24-${type}`, type), ["npx", "runtime"], [node24]);
  });

  it.each(["module", "commonjs"] as const)("runs a job on Node 22 in a project of type %s", async (type) => {
    await expectItRuns(makeProject(parent, `on-22-${type}`, type), ["npx", "runtime"], [nodeFolder(22)]);
  });

  it("runs a job's tasks on threads, which find their code in the package, on Node 22 and 24", async () => {
    for (const [name, node] of [
      ["22", nodeFolder(22)],
      ["24", join(root, "node_modules", "node", "bin")],
    ] as const) {
      const folder = makeProject(parent, `threads-on-${name}`, "commonjs");
      await expectItRuns(folder, ["npx", "runtime"], [node], ["--threads", "2"]);
    }
  });

  it("says what to type on Node 20 where the project has no newer one, with exit code 2", async () => {
    const folder = makeProject(parent, "on-20-alone", "module");
    const outcome = await run("npx", ["runtime", "start", "job.ts"], { cwd: folder, first: [nodeFolder(20)] });
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain("npm install --save-dev node@24");
  });

  it("runs a job on Node 20 by the node package of the project", async () => {
    const folder = makeProject(parent, "on-20", "module");
    writeFiles(folder, { "package.json": { type: "module", private: true, allowScripts: { node: true } } });
    await mustRun("npm", ["install", "--save-dev", "--loglevel=error", "--prefer-offline", "node@24"], { cwd: folder });
    await expectItRuns(folder, ["node", launcher], [nodeFolder(20)]);
    const again = makeProject(folder, "nested", "module");
    await expectItRuns(again, ["npx", "runtime"], [nodeFolder(20)]);
  });
});
