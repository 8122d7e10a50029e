// The crash tests on real servers look where it matters: a copy of the runtime that is broken on purpose does not pass
// them, a whole copy does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kafkaServer, postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { killedAt, overtaken, type ScenarioOptions } from "./kafka-scenarios.ts";
import { KafkaStage, type Route, routes, type StagedJob } from "./kafka-stage.ts";
import { type Edit, makeMutant } from "./mutant.ts";

type Scenario = (job: StagedJob, options: ScenarioOptions) => Promise<string[]>;

const scenarios = {
  "is killed after it has committed": (job, options) => killedAt("committed", job, options),
  "is overtaken while it is frozen": (job, options) => overtaken("commit", job, options),
} satisfies Record<string, Scenario>;

interface Mutant {
  readonly edits: readonly Edit[];
  readonly route: Route;
  readonly when: keyof typeof scenarios;
  /** What the scenario finds, at least. */
  readonly finds: RegExp;
}

/** A row is missing, or there twice. */
const OUT_OF_ORDER = /partition \d has \d+ where \d+ is next/;
const toPostgres: Route = { to: "postgres", checkpoint: "file" };
const jointly: Route = { to: "postgres", checkpoint: "postgres" };
const toKafka: Route = { to: "kafka", checkpoint: "file" };

const mutants: Record<string, Mutant> = {
  "does not look for the marker in Postgres": {
    edits: [
      {
        file: "connectors/postgres/sink.ts",
        from: 'if (!batch.isUnplanned && (await marker.has(connections, batch))) return "already-written";',
        to: "",
      },
      // Nor when it marks it.
      { file: "connectors/postgres/marker.ts", from: " and (batch_id is null or batch_id < $4)`", to: "`" },
    ],
    route: toPostgres,
    when: "is killed after it has committed",
    finds: OUT_OF_ORDER,
  },
  "does not look for the marker in Kafka": {
    edits: [
      {
        file: "connectors/kafka/sink-writer.ts",
        from: 'if (!batch.isUnplanned && isWritten(opened.newest, batch)) return "already-written";',
        to: "",
      },
    ],
    route: toKafka,
    when: "is killed after it has committed",
    finds: OUT_OF_ORDER,
  },
  "takes markers that were committed for aborted ones": {
    edits: [
      {
        file: "connectors/kafka/raw-log.ts",
        from: "key.readInt16BE(2) === ABORT_MARKER;",
        to: "key.readInt16BE(2) !== ABORT_MARKER;",
      },
    ],
    route: toKafka,
    when: "is killed after it has committed",
    finds: OUT_OF_ORDER,
  },
  "completes a batch before its rows are committed, in the same database": {
    edits: [
      {
        file: "checkpoints/postgres/log-writer.ts",
        from: "await transaction.query(this.#statements.append, values, { doing: this.#doing, signal });",
        // Time to be killed in between.
        to: `{ rows: [{ appended: (await this.#appendAlone(values, signal)) ? 1 : 0 }] };
          process.stderr.write("@committed 0\\n");
          await new Promise((resolve) => setTimeout(resolve, 1000));`,
      },
    ],
    route: jointly,
    when: "is killed after it has committed",
    finds: OUT_OF_ORDER,
  },
  "has no fence in Postgres": {
    edits: [
      {
        file: "connectors/postgres/marker.ts",
        from: "where lineage = $1 and target = $2 and epoch = $3 and (batch_id is null or batch_id < $4)`",
        to: "where lineage = $1 and target = $2 and $3::text is not null`",
      },
    ],
    route: toPostgres,
    when: "is overtaken while it is frozen",
    finds: OUT_OF_ORDER,
  },
  "has no fence in Kafka": {
    edits: [
      {
        file: "connectors/kafka/sink-writer.ts",
        from: "{ client, connection, transactionalId, transactionTimeoutMs,",
        to: "{ client, connection, transactionalId: transactionalId + String(epoch), transactionTimeoutMs,",
      },
    ],
    route: toKafka,
    when: "is overtaken while it is frozen",
    finds: OUT_OF_ORDER,
  },
};

const above = mkdtempSync(join(tmpdir(), "tidemark-kafka-mutants-"));
let stage: KafkaStage;
beforeAll(async () => {
  stage = await KafkaStage.open(await kafkaServer(), await postgresServer(), { records: 8_000 });
}, serverStartTimeoutMs);
afterAll(async () => {
  rmSync(above, { recursive: true, force: true });
  await stage[Symbol.asyncDispose]();
});

async function play(when: keyof typeof scenarios, route: Route, edits: readonly Edit[]): Promise<string[]> {
  const root = mkdtempSync(join(above, "root-"));
  makeMutant(root, edits);
  return await scenarios[when](await stage.newJob(route, { maxOffsetsPerBatch: 2_000 }), { root });
}

describe.each(routes)("a copy that is not broken, $name", (route) => {
  it.each(Object.keys(scenarios) as (keyof typeof scenarios)[])(
    "keeps its promises when it %s",
    async (when) => {
      expect(await play(when, route, [])).toEqual([]);
    },
    120_000,
  );
});

describe("a runtime that", () => {
  for (const [name, { edits, route, when, finds }] of Object.entries(mutants)) {
    it(`${name} is found out when it ${when}`, async () => {
      expect((await play(when, route, edits)).join("\n")).toMatch(finds);
    }, 120_000);
  }
});
