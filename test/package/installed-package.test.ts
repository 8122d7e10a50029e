// The package as its users get it: packed, installed in a folder of its own, and run there by a job that is written
// against the published types; on each Node that the README names.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BrokerTopics } from "../kafka/broker-topics.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
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

/** From one topic to another, and from there to files: by login, over TLS, in a transaction, compressed. */
const kafkaJobs = {
  "copy.ts": `
import { readFileSync } from "node:fs";
import { map } from "rxjs";
import { defineJob, json } from "tidemark";
import { kafkaSink, kafkaSource } from "tidemark/connectors/kafka";

const { brokers, input, output, sasl, ca } = JSON.parse(readFileSync("connection.json", "utf8"));
const connection = { brokers, sasl, tls: { ca } };

export default defineJob({
  name: "copy",
  source: kafkaSource({ ...connection, topics: [input], value: json<{ id: number }>(), startingOffsets: "earliest" }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: kafkaSink({ ...connection, topic: output, compression: "lz4" }),
  trigger: "available-now",
});
`,
  "back.ts": `
import { readFileSync } from "node:fs";
import { map } from "rxjs";
import { defineJob, json } from "tidemark";
import { fileSink } from "tidemark/connectors/files";
import { kafkaSource } from "tidemark/connectors/kafka";

const { brokers, output, sasl, ca } = JSON.parse(readFileSync("connection.json", "utf8"));

export default defineJob({
  name: "back",
  source: kafkaSource({ brokers, sasl, tls: { ca }, topics: [output], value: json<{ id: number }>() }),
  pipeline: (records$) => records$.pipe(map(({ value }) => value)),
  sink: fileSink({ dir: "back", format: "ndjson" }),
  trigger: "available-now",
});
`,
};

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

  it(
    "reads and writes Kafka, with what is used of its library in one file, on one thread and on two",
    async () => {
      const { saslTlsBootstrap, bootstrap, users, ca } = await kafkaServer();
      await using topics = new BrokerTopics(bootstrap);
      const [input, output] = [await topics.create(2), await topics.create(2)];
      const ids = Array.from({ length: 100 }, (_, id) => id);
      const messages = ids.map((id) => ({ value: Buffer.from(JSON.stringify({ id })), partition: id % 2 }));
      await topics.produce(input, messages, "snappy");
      const folder = makeProject(parent, "kafka", "module");
      const sasl = { mechanism: "SCRAM-SHA-512", ...users["scram-sha-512"] };
      const connection = { brokers: [saslTlsBootstrap], input, output, sasl, ca: readFileSync(ca, "utf8") };
      writeFiles(folder, { ...kafkaJobs, "connection.json": connection });
      const how = { cwd: folder, first: [nodeFolder(22)] };
      await mustRun("npx", ["runtime", "start", "copy.ts"], how);
      await mustRun("npx", ["runtime", "start", "back.ts", "--threads", "2"], how);
      const copied = readRows(join(folder, "back")).map((row) => JSON.parse(row).id);
      expect(copied.sort((a, b) => a - b)).toEqual(ids);
    },
    serverStartTimeoutMs,
  );

  it("names what is in that file, with the licences, and imports the library nowhere else", () => {
    const dist = join(installed, "tidemark", "dist");
    const modules = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".js"));
    const importing = /from "@platformatic\/kafka"/;
    expect(modules.filter((path) => importing.test(readFileSync(join(dist, path), "utf8")))).toEqual([]);
    const licenses = readFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), "utf8");
    const names = [...licenses.matchAll(/^(\S+) \d+\.\d+\.\d+ \(.+\)$/gm)].map(([, name]) => name);
    // The library needs more than these since it was changed, if this fails: what of it, and what for?
    const kafka = ["@platformatic/dynamic-buffer", "@platformatic/kafka"];
    expect(names).toEqual([...kafka, "debug", "fastq", "has-flag", "ms", "reusify", "supports-color"]);
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
