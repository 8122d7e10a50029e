// Latency: records are produced at a steady rate by a process of their own, and a job takes them batch after batch
// (trigger "continuous", checkpoint in files). What counts is the time from handing a record to the producer to the
// moment its batch is recorded as complete; with DATABASE_URL also with its rows committed in Postgres. Then what a job
// burns that has nothing to do, and what the same number of records costs in few and in many partitions. The disk's own
// part, an append as the file store makes it, is printed beside it. Needs KAFKA_BROKERS.
// Usage: npm run bench -- latency [--rate N] [--seconds N] [--partitions N] [--only latency,postgres,idle,partitions]
// [--dir DIR] [--json]
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { link, mkdtemp, open, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { print } from "./report.ts";

const IDLE_SECONDS = 30;
const MOST_SECONDS = 300;
const SCALED_RECORDS = 400_000;
const SCALED_PARTITIONS = [1, 10, 100, 1_000];

interface Measured {
  readonly batches: number;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly latenciesMs: readonly number[];
  readonly batchesMs: readonly number[];
}

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "1000" },
    seconds: { type: "string", default: "20" },
    partitions: { type: "string", default: "4" },
    only: { type: "string", default: "latency,postgres,idle,partitions" },
    dir: { type: "string", default: tmpdir() },
    json: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const brokers = process.env["KAFKA_BROKERS"] ?? "127.0.0.1:9092";
const database = process.env["DATABASE_URL"] ?? "";
const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
const parts = values.only.split(",");
const admin = new Admin({ clientId: "bench", bootstrapBrokers: brokers.split(",") });
const results: Record<string, unknown> = {};
const dir = await mkdtemp(join(values.dir, "tidemark-bench-"));
try {
  if (parts.includes("latency")) await measureLatency("latency", "");
  if (parts.includes("postgres") && database !== "") await measureLatency("postgres", database);
  if (parts.includes("idle")) await measureIdle();
  if (parts.includes("partitions")) for (const partitions of SCALED_PARTITIONS) await measurePartitions(partitions);
  if (values.json) print(JSON.stringify(results));
} finally {
  await admin.close();
  await rm(dir, { recursive: true, force: true });
}

function say(line: string): void {
  if (!values.json) print(line);
}

async function measureLatency(name: string, url: string): Promise<void> {
  await using topic = await newTopic(Number(values.partitions));
  if (url !== "") await withDatabase(`create table ${topic.table} (id bigint, "sentMs" double precision)`);
  const appends = await appendMs(50);
  const job = start("latency-job.ts", [brokers, topic.name, String(rate * seconds), String(seconds + 30), dir, url]);
  // Open when it says so: until then records would wait for it.
  await job.firstSaid;
  const producing = start("latency-producer.ts", [brokers, topic.name, values.partitions, values.rate, values.seconds]);
  const acks: number[] = JSON.parse(await outputOf(producing));
  const measured: Measured = JSON.parse(await outputOf(job));
  if (url !== "") await withDatabase(`drop table ${topic.table}`);
  const { latenciesMs, batchesMs, batches, cpuMs } = measured;
  const found = {
    latencyMs: percentiles(latenciesMs),
    batchMs: percentiles(batchesMs),
    batches,
    cpuMsPerBatch: round(cpuMs / batches),
    cpuPercent: round((100 * cpuMs) / measured.wallMs),
    producerMs: percentiles(acks),
    diskAppendMs: percentiles([...appends, ...(await appendMs(50))]),
  };
  results[name] = found;
  say(`${rate} records/s in ${values.partitions} partitions → ${url === "" ? "nowhere" : "Postgres"}, ms p50 / p99:`);
  say(`  produced → complete ${text(found.latencyMs)}; from batch to batch ${text(found.batchMs)}`);
  say(`  ${batches} batches, ${found.cpuMsPerBatch} ms CPU each (${found.cpuPercent} % of a core)`);
  say(`  of it the producer: sent → acknowledged by the broker ${text(found.producerMs)}`);
  say(`  of it the disk: write, fsync, link, fsync of the folder ${text(found.diskAppendMs)}`);
}

async function measureIdle(): Promise<void> {
  await using topic = await newTopic(Number(values.partitions));
  const job = start("latency-job.ts", [brokers, topic.name, "0", String(IDLE_SECONDS + 5), dir, ""]);
  const { cpuMs, wallMs }: Measured = JSON.parse(await outputOf(job));
  results["idle"] = { cpuPercent: round((100 * cpuMs) / wallMs), wallMs: round(wallMs) };
  say(`idle for ${(wallMs / 1000).toFixed(0)} s: ${((100 * cpuMs) / wallMs).toFixed(2)} % of a core`);
}

/** The same records in so many partitions, read to the end in batches of a tenth. */
async function measurePartitions(partitions: number): Promise<void> {
  await using topic = await newTopic(partitions);
  const args = [brokers, topic.name, String(SCALED_RECORDS), dir];
  await outputOf(start("latency-partitions.ts", ["load", ...args]));
  const read = JSON.parse(await outputOf(start("latency-partitions.ts", ["read", ...args])));
  results[`partitions-${partitions}`] = read;
  say(`${SCALED_RECORDS} records in ${partitions} partitions: ${read.cpuMs} ms CPU, ${read.wallMs} ms`);
}

async function newTopic(partitions: number) {
  const name = `latency-${randomBytes(4).toString("hex")}`;
  await admin.createTopics({ topics: [name], partitions, replicas: 1 });
  return {
    name,
    table: name.replaceAll("-", "_"),
    async [Symbol.asyncDispose]() {
      await admin.deleteTopics({ topics: [name] });
    },
  };
}

async function withDatabase(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** What the disk takes for an append as the file store makes it, bare. */
async function appendMs(count: number): Promise<number[]> {
  const folder = await mkdtemp(join(dir, "raw-"));
  const handle = await open(folder, "r");
  const found: number[] = [];
  for (let at = 0; at < count; at++) {
    const began = performance.now();
    await writeFile(join(dir, `raw-${at}`), Buffer.alloc(900), { flush: true });
    await link(join(dir, `raw-${at}`), join(folder, String(at)));
    await handle.sync();
    found.push(performance.now() - began);
    await unlink(join(dir, `raw-${at}`));
  }
  await handle.close();
  return found;
}

/** A program that runs, and what it has said so far. */
interface Program {
  readonly said: string[];
  /** When it has said something, or has ended. */
  readonly firstSaid: Promise<unknown>;
  /** Its exit code. */
  readonly ended: Promise<number>;
}

function start(name: string, args: readonly string[]): Program {
  const file = join(import.meta.dirname, name);
  const timeout = MOST_SECONDS * 1000;
  const child = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"], timeout });
  const said: string[] = [];
  child.stdout.on("data", (chunk) => said.push(String(chunk)));
  const ended = once(child, "close").then(([code]) => Number(code));
  return { said, firstSaid: Promise.race([once(child.stdout, "data"), ended]), ended };
}

/** The last line of what it says. */
async function outputOf({ said, ended }: Program): Promise<string> {
  const code = await ended;
  if (code !== 0) throw new Error(`a program ended with ${code}`);
  return said.join("").trim().split("\n").at(-1) ?? "";
}

interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

function percentiles(numbers: readonly number[]): Percentiles {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  return { p50: at(0.5), p99: at(0.99) };
}

function round(number: number): number {
  return Math.round(number * 100) / 100;
}

function text({ p50, p99 }: Percentiles): string {
  return `${p50} / ${p99}`;
}
