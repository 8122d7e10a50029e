// Where the comparison takes place: a broker and a database of its own in `.servers/bench`, a topic of payments, and
// for each run an empty topic or table for what it writes. All of it is removed at the end.
import { randomBytes } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { removeServer, type ServerHome, startServer } from "../../servers/control.ts";
import { type KafkaAddresses, kafka } from "../../servers/kafka/server.ts";
import { type PostgresAddresses, postgres } from "../../servers/postgres/server.ts";
import { paymentsTopic } from "../payments-topic.ts";
import { digestOfTopic } from "../peers/kafka-client/topic-witness.ts";
import type { Run, Tools } from "./contestant.ts";
import { type Digest, expectedOf } from "./expected.ts";
import type { Workload } from "./workload.ts";

const PARTITIONS = 4;

/** One run's place; disposing of it removes what the run has made. */
export interface RunPlace extends AsyncDisposable {
  readonly run: Run;
  /** What is in its output. */
  digestOfOutput(): Promise<Digest>;
}

export interface Arena extends AsyncDisposable {
  /** An empty topic or table, where one is wanted, for one run. */
  place(wanted: Pick<Workload, "output">): Promise<RunPlace>;
}

export interface ArenaOptions {
  readonly records: number;
  readonly batch: number;
  /** Postgres is started for workloads that write to it alone. */
  readonly needsDatabase: boolean;
}

/** Starts the servers and fills the topic. */
export async function openArena({ records, batch, needsDatabase }: ArenaOptions, tools: Tools): Promise<Arena> {
  await using stack = new AsyncDisposableStack();
  const folder = join(tools.root, "bench");
  await mkdir(folder, { recursive: true });
  const [broker, database] = await Promise.all([
    started<KafkaAddresses>({ kind: kafka, folder: join(folder, "kafka"), ...tools }, stack, tools.signal),
    needsDatabase
      ? started<PostgresAddresses>({ kind: postgres, folder: join(folder, "postgres"), ...tools }, stack, tools.signal)
      : undefined,
  ]);
  tools.say(`Writing ${records.toLocaleString("en")} records …`);
  const expected = expectedOf(records);
  const { input } = stack.use(await paymentsTopic([broker.bootstrap], records));
  const base = {
    ...{ brokers: broker.bootstrap, topic: input, records, batch, expected },
    ...{ database: database?.url ?? "", postgresBin: database?.bin ?? "" },
  };
  const servers = stack.move();
  return {
    place: (wanted) => placeOf(wanted, base, folder, tools),
    [Symbol.asyncDispose]: () => servers.disposeAsync(),
  };
}

async function started<Addresses extends object>(
  home: ServerHome<Addresses>,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Addresses> {
  // Of a run that was killed.
  await removeServer(home as ServerHome, signal);
  stack.defer(() => removeServer(home as ServerHome, AbortSignal.timeout(60_000)));
  return await startServer(home, { signal });
}

type Base = Omit<Run, "output" | "folder" | "name">;

async function placeOf(
  { output }: Pick<Workload, "output">,
  base: Base,
  parent: string,
  tools: Tools,
): Promise<RunPlace> {
  const name = `bench_${randomBytes(4).toString("hex")}`;
  const folder = join(parent, name);
  await mkdir(folder, { recursive: true });
  const run = { ...base, name, folder, output: name };
  if (output === "topic") await withAdmin(run, (admin) => admin.createTopics(topicOf(run)));
  if (output === "table") await createTables(run);
  return {
    run,
    digestOfOutput: () => (output === "topic" ? digestOfTopic(run.brokers, name, tools) : digestOfTable(run)),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
      if (output === "topic") await withAdmin(run, (admin) => admin.deleteTopics({ topics: [name] }));
      if (output === "table") await withDatabase(run, (client) => client.query(dropTables(name)));
    },
  };
}

function topicOf({ name }: Run) {
  return { topics: [name], partitions: PARTITIONS, replicas: 1 };
}

/** The table of rows, and for who needs them one to stage rows in and one of batches. */
async function createTables(run: Run): Promise<void> {
  const columns = '(id bigint, "user" text, amount double precision)';
  await withDatabase(run, async (client) => {
    await client.query(`create table ${run.name} ${columns}`);
    await client.query(`create table ${run.name}_stage ${columns}`);
    await client.query(`create table ${run.name}_batches (batch_id bigint primary key)`);
  });
}

function dropTables(name: string): string {
  return `drop table if exists ${name}, ${name}_stage, ${name}_batches`;
}

async function digestOfTable(run: Run): Promise<Digest> {
  const sums = 'count(*), sum(id), sum(round(amount::numeric * 100)), sum(length("user"))';
  const { rows } = await withDatabase(run, (client) =>
    client.query<string[]>({ text: `select ${sums} from ${run.name}`, rowMode: "array" }),
  );
  const [count, ids, cents, userChars] = (rows[0] ?? []).map(Number);
  return { rows: count ?? 0, ids: ids ?? 0, cents: cents ?? 0, userChars: userChars ?? 0 };
}

async function withAdmin<T>({ brokers }: Run, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: brokers.split(",") });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

async function withDatabase<T>({ database }: Run, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
