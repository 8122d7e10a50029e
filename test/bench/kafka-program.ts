// Run by kafka.ts: one program over one topic, timed inside of the process from the job's start to its end; its
// output is counted before its time is told. Arguments: program, run, records, a folder for checkpoints.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { count, filter, map, type Observable } from "rxjs";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { defineJob, type Job, json, runJob } from "../../runtime/index.ts";

interface Payment {
  readonly id: number;
  readonly user: string;
  readonly amount: number;
}

const [program = "", run = "", recordsText = "0", baseDir = "."] = process.argv.slice(2);
const records = Number(recordsText);
const brokers = (process.env["KAFKA_BROKERS"] ?? "127.0.0.1:9092").split(",");
const database = process.env["DATABASE_URL"] ?? "postgres://localhost/app";
const topic = `bench-${run}`;
const name = `bench-${program}-${randomBytes(4).toString("hex")}`;
const table = `bench_${run}`;
const isLarge = (payment: Payment) => payment.amount > 50;
const project = ({ id, user, amount }: Payment) => ({ id, user, amount });
const bounded = { name, trigger: "available-now", maxOffsetsPerBatch: 200_000 } as const;
const source = kafkaSource({ brokers, topics: [topic], value: json<Payment>(), mirrorOffsetsToGroup: false });
const large = { source, pipeline: largeOnes };

function largeOnes(records$: Observable<{ readonly value: Payment }>) {
  return records$.pipe(
    map(({ value }) => value),
    filter(isLarge),
    map(project),
  );
}

const programs: Record<string, () => Promise<number>> = {
  load: async () => {
    await withAdmin((admin) => admin.createTopics({ topics: [topic, `${topic}-out`], partitions: 4, replicas: 1 }));
    return await timed(
      defineJob({
        ...bounded,
        source: memorySource({ records: Array.from({ length: records }, (_, id) => id) }),
        pipeline: (records$) => records$.pipe(map(({ value: id }) => paymentOf(id))),
        sink: kafkaSink({ brokers, topic, key: "user" }),
        checkpoint: "memory:",
      }),
    );
  },
  tidy: async () => {
    await withAdmin((admin) => admin.deleteTopics({ topics: [topic, `${topic}-out`] }));
    await withDatabase((client) => client.query(`drop table if exists ${table}`));
    return 0;
  },
  "count-values": async () => {
    const length = { deserialize: (bytes: Uint8Array) => bytes.byteLength };
    const lengths = kafkaSource({ brokers, topics: [topic], value: length, mirrorOffsetsToGroup: false });
    return await timed(
      defineJob({ ...bounded, source: lengths, pipeline: (records$) => records$.pipe(count()), sink: () => {} }),
    );
  },
  "count-json": async () =>
    await timed(
      defineJob({ ...bounded, ...large, pipeline: (records$) => largeOnes(records$).pipe(count()), sink: () => {} }),
    ),
  copy: async () => {
    await withDatabase((client) => freshTable(client));
    const rows = Array.from({ length: records }, (_, id) => paymentOf(id))
      .filter(isLarge)
      .map(({ id, user, amount }) => `${id}\t${user}\t${amount}\n`)
      .join("");
    const began = performance.now();
    execFileSync("psql", ["-q", database, "-c", `copy ${table} from stdin`], { input: rows });
    return performance.now() - began;
  },
  "to-postgres": async () => {
    await withDatabase((client) => freshTable(client));
    const sink = postgresSink({ url: database, table: `${table}` });
    const ms = await timed(defineJob({ ...bounded, ...large, sink, checkpoint: database }));
    const found = await withDatabase((client) => client.query(`select count(*)::int as rows from ${table}`));
    let expected = 0;
    for (let id = 0; id < records; id++) if (isLarge(paymentOf(id))) expected++;
    if (found.rows[0].rows !== expected) throw new Error(`${found.rows[0].rows} rows instead of ${expected}`);
    return ms;
  },
  "to-kafka": async () =>
    await timed(defineJob({ ...bounded, ...large, sink: kafkaSink({ brokers, topic: `${topic}-out`, key: "user" }) })),
};

/** The same payments at every run, about 100 bytes of JSON each. */
function paymentOf(id: number) {
  const amount = ((id * 31) % 100_000) / 100;
  const user = `u${(id * 7919) % 100_000}`;
  return { id, user, amount, ts: 1_700_000_000_000 + id, status: "new", item: `sku-${id % 10_000}`, q: id % 7 };
}

async function timed(job: Job): Promise<number> {
  const began = performance.now();
  const result = await runJob(job, { baseDir });
  const ms = performance.now() - began;
  if (result.records !== records) throw new Error(`${result.records} records instead of ${records}`);
  return ms;
}

async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [...brokers] });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

async function withDatabase<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function freshTable(client: pg.Client): Promise<void> {
  await client.query(`drop table if exists ${table}`);
  await client.query(`create table ${table} (id bigint, "user" text, amount double precision)`);
}

const chosen = programs[program];
if (chosen === undefined) throw new Error(`no program ${program}`);
const ms = await chosen();
const { user, system } = process.cpuUsage();
const speed = (records / ms) * 1000;
const result = { speed, peakMb: process.resourceUsage().maxRSS / 1024, cpuSeconds: (user + system) / 1e6 };
process.stdout.write(JSON.stringify(result));
