// Run by latency.ts: a job back to back (trigger "continuous") with a file checkpoint. Says how long each record took
// from being handed to the producer to the moment its batch was recorded as complete, how long batches took, and what
// the process burnt. Arguments: brokers, topic, records to wait for (0: none, it idles), seconds at most, a folder,
// a database for the rows ("": none). The first quarter of the records is not counted: it loads and compiles.
import { randomBytes } from "node:crypto";
import { map, tap } from "rxjs";
import { kafkaSource } from "../../connectors/kafka/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { defineJob, type JobEvent, type JobOptions, json, runJob } from "../../runtime/index.ts";

interface Sent {
  readonly id: number;
  readonly sentMs: number;
}

const [brokers = "", topic = "", wanted = "0", secondsText = "60", baseDir = ".", url = ""] = process.argv.slice(2);
const records = Number(wanted);
const stop = new AbortController();
const deadline = setTimeout(() => stop.abort(), Number(secondsText) * 1000);
const latenciesMs: number[] = [];
const batchesMs: number[] = [];
let inBatch: number[] = [];
let seen = 0;
let lastMs: number | undefined;
let counted: { atMs: number; cpu: NodeJS.CpuUsage; batches: number } | undefined;
let batches = 0;

function completed(): void {
  const now = performance.now();
  batches++;
  seen += inBatch.length;
  if (seen >= records / 4) {
    counted ??= begin();
    for (const sentMs of inBatch) latenciesMs.push(performance.timeOrigin + now - sentMs);
    if (lastMs !== undefined) batchesMs.push(now - lastMs);
  }
  lastMs = now;
  inBatch = [];
  if (records > 0 && seen >= records) stop.abort();
}

function begin() {
  return { atMs: performance.now(), cpu: process.cpuUsage(), batches };
}

function onEvent({ type }: JobEvent): void {
  if (type === "started") process.stdout.write("ready\n");
  else if (type === "completed") completed();
  // What connecting and loading took is not idling.
  else if (type === "idle" && records === 0) setTimeout(() => (counted ??= begin()), 3_000).unref();
}

const name = `latency-${randomBytes(4).toString("hex")}`;
const source = kafkaSource({ brokers: brokers.split(","), topics: [topic], value: json<Sent>() });
const note = tap(({ sentMs }: Sent) => void inBatch.push(sentMs));
const options = { name, trigger: "continuous", checkpoint: "file:checkpoint" } as const satisfies JobOptions;
const job =
  url === ""
    ? defineJob({
        ...options,
        source,
        pipeline: (all$) =>
          all$.pipe(
            map(({ value }) => value),
            note,
          ),
        sink: () => {},
      })
    : defineJob({
        ...options,
        source,
        pipeline: (all$) =>
          all$.pipe(
            map(({ value }) => value),
            note,
          ),
        sink: postgresSink({ url, table: topic.replaceAll("-", "_") }),
      });
await runJob(job, { baseDir, signal: stop.signal, onEvent });
clearTimeout(deadline);
const { atMs, cpu, batches: before } = counted ?? begin();
const { user, system } = process.cpuUsage(cpu);
const wallMs = (records === 0 ? performance.now() : (lastMs ?? performance.now())) - atMs;
const cpuMs = (user + system) / 1000;
process.stdout.write(JSON.stringify({ seen, batches: batches - before, wallMs, cpuMs, latenciesMs, batchesMs }));
