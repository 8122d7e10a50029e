// Where the crash tests on Kafka play: a broker, a database, a loaded topic, and jobs from there to a table or a topic
// of their own, with their checkpoint in a folder, in the database or on the broker.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { map } from "rxjs";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { defineJob, runJob } from "../../runtime/index.ts";
import { BrokerTopics } from "../kafka/broker-topics.ts";
import { newName, type TestDatabase, testDatabase } from "../postgres/database.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import type { PostgresAddresses } from "../servers/postgres/server.ts";
import type { Hold } from "./job-folder.ts";
import { JobProcess, type StartOptions } from "./job-process.ts";
import { KafkaJobFolder, type KafkaJobSettings } from "./kafka-job-folder.ts";
import { rowsInTable, TopicRows } from "./kafka-readers.ts";
import { PARTITIONS, problemsOf, recordAt } from "./kafka-rows.ts";

const LOADED_AT_ONCE = 50_000;

/** From where a job's rows go, and where its checkpoint is. */
export interface Route {
  readonly to: "postgres" | "kafka";
  readonly checkpoint: "postgres" | "file" | "kafka";
}

/** How large a job's batches are, and how long they take. */
export type Pace = Pick<KafkaJobSettings, "maxOffsetsPerBatch" | "pauseMs">;

/** Every route: rows and checkpoint in one transaction, and in two. */
export const routes: readonly (Route & { readonly name: string })[] = [
  { name: "Kafka → Postgres, the checkpoint in the same database", to: "postgres", checkpoint: "postgres" },
  { name: "Kafka → Postgres, the checkpoint in files", to: "postgres", checkpoint: "file" },
  { name: "Kafka → Kafka, the checkpoint in files", to: "kafka", checkpoint: "file" },
  { name: "Kafka → Kafka, the checkpoint in Postgres", to: "kafka", checkpoint: "postgres" },
  { name: "Kafka → Kafka, all in one cluster", to: "kafka", checkpoint: "kafka" },
];

/** A job on its route. */
export interface StagedJob {
  readonly name: string;
  start(options?: StartOptions): JobProcess;
  /** Makes its processes wait at this point, from now on. */
  hold(at: Hold): void;
  release(at: Hold): void;
  /** What is wrong with its output, as sentences. */
  problems(): Promise<string[]>;
}

/** The servers with the input. */
export class KafkaStage implements AsyncDisposable {
  readonly #bootstrap: string;
  readonly #bin: string;
  readonly #database: TestDatabase;
  readonly #input: string;
  readonly #perPartition: number;
  readonly #dir = mkdtempSync(join(tmpdir(), "tidemark-kafka-"));

  private constructor(bootstrap: string, bin: string, database: TestDatabase, input: string, perPartition: number) {
    this.#bootstrap = bootstrap;
    this.#bin = bin;
    this.#database = database;
    this.#input = input;
    this.#perPartition = perPartition;
  }

  /** Makes a database and a topic of so many records. */
  static async open(
    { bootstrap }: Pick<KafkaAddresses, "bootstrap">,
    { url, adminUrl, bin }: Pick<PostgresAddresses, "url" | "adminUrl" | "bin">,
    { records }: { readonly records: number },
  ): Promise<KafkaStage> {
    const perPartition = records / PARTITIONS;
    const input = await newTopic(bootstrap);
    await load(bootstrap, input, perPartition);
    return new KafkaStage(bootstrap, bin, await testDatabase({ url, adminUrl }), input, perPartition);
  }

  /** A new job and its empty table or topic. */
  async newJob({ to, checkpoint }: Route, pace: Pace): Promise<StagedJob> {
    const name = newName("job");
    const rowCount = this.#perPartition * PARTITIONS;
    const destination = to === "postgres" ? await this.#newTable(name) : await this.#newTopic(rowCount);
    const folder = new KafkaJobFolder(join(this.#dir, name), {
      ...{ name, bootstrap: this.#bootstrap, input: this.#input, ...pace },
      output: destination.output,
      checkpoint: this.#urlOf(checkpoint),
    });
    return {
      name,
      start: (options) => new JobProcess(folder.jobFile, options),
      hold: (at) => folder.hold(at),
      release: (at) => folder.release(at),
      problems: async () => problemsOf(await destination.rows(), this.#perPartition),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#dir, { recursive: true, force: true });
    await this.#database[Symbol.asyncDispose]();
  }

  #urlOf(checkpoint: Route["checkpoint"]): string {
    if (checkpoint === "postgres") return this.#database.url;
    return checkpoint === "kafka" ? `kafka://${this.#bootstrap}` : "file:checkpoint";
  }

  /** Without a primary key, so that a row can be there twice. */
  async #newTable(table: string) {
    const { url } = this.#database;
    const columns = "id bigint, partition int, seq bigint, text text, position bigint generated always as identity";
    await this.#database.query(`create table ${table} (${columns})`);
    return { output: { url, table }, rows: () => rowsInTable(this.#bin, url, table) };
  }

  async #newTopic(rowCount: number) {
    const topic = await newTopic(this.#bootstrap);
    const rows = new TopicRows(this.#bootstrap, topic);
    return { output: { topic }, rows: () => rows.read(rowCount) };
  }
}

async function newTopic(bootstrap: string): Promise<string> {
  await using topics = new BrokerTopics(bootstrap);
  return await topics.create(PARTITIONS);
}

/** Fills the topic in several transactions, whose ends are gaps between the offsets. */
async function load(bootstrap: string, topic: string, perPartition: number): Promise<void> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) =>
    Array.from({ length: perPartition }, (_, seq) => recordAt(partition, seq)),
  );
  await runJob(
    defineJob({
      name: newName("load"),
      source: memorySource({ partitions }),
      pipeline: (records$) => records$.pipe(map(({ value }) => value)),
      sink: kafkaSink({ brokers: [bootstrap], topic, partition: "partition", compression: "lz4" }),
      checkpoint: "memory:",
      trigger: "available-now",
      maxOffsetsPerBatch: LOADED_AT_ONCE,
    }),
  );
}
