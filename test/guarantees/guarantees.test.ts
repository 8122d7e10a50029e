// The matrix of docs/guarantees.md on real servers: a job from Kafka to each sink with its checkpoint in each store is
// killed at each point of a batch, started again, and readers that share nothing with it find each record's row once
// and in order. NIGHTLY=1 plays every cell; otherwise each sink and each store has one, at other points each time.
// With GUARANTEES=write, what was found of the cells that were played is put into the page's table.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberBelow, seedOf } from "../contracts/random.ts";
import { newName, type TestDatabase, testDatabase } from "../postgres/database.ts";
import {
  hbaseServer,
  hdfsServer,
  kafkaServer,
  postgresServer,
  serverStartTimeoutMs,
  zookeeperServer,
} from "../servers/for-tests.ts";
import { type Cell, cells, loadInput, type Outcome, play, pointsOf } from "./cell.ts";
import { sinks } from "./sinks.ts";
import { stores } from "./stores.ts";
import { keyOf, readTable, writeTable } from "./table.ts";
import type { GuaranteeServers } from "./where.ts";

const writes = process.env["GUARANTEES"] === "write";
const isNightly = process.env["NIGHTLY"] !== undefined;
const { seed, random } = seedOf("guarantees");
const documented = readTable();
const found = new Map<string, Outcome>();

let dir: string;
let database: TestDatabase;
let servers: GuaranteeServers;
let input: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tidemark-guarantees-"));
  const [kafka, postgres, zookeeper, hdfs, hbase] = await Promise.all([
    kafkaServer(),
    postgresServer(),
    zookeeperServer(),
    hdfsServer(),
    hbaseServer(),
  ]);
  database = await testDatabase(postgres);
  servers = { kafka, postgres: { ...postgres, url: database.url }, zookeeper, hdfs, hbase };
  input = await loadInput(kafka.bootstrap);
}, serverStartTimeoutMs);
afterAll(async () => {
  rmSync(dir, { recursive: true, force: true });
  await database[Symbol.asyncDispose]();
  if (writes) writeTable(cells, new Map([...documented, ...found]));
});

/** Each sink and each store once at least, paired and killed as the seed says. */
function someCells(): Cell[] {
  const shift = numberBelow(random, sinks.length);
  return Array.from({ length: Math.max(sinks.length, stores.length) }, (_, index) => {
    const sink = sinks[(index + shift) % sinks.length];
    const store = stores[index % stores.length];
    if (sink === undefined || store === undefined) throw new Error("there is no sink or no store");
    const points = pointsOf({ sink, store });
    return { sink, store, point: points[numberBelow(random, points.length)] ?? "mid-read" };
  });
}

describe.skipIf(writes)("docs/guarantees.md", () => {
  it("names the cells of the matrix, all of them and no others", () => {
    expect([...documented.keys()]).toEqual(cells.map(({ sink, store, point }) => keyOf(sink.name, store.name, point)));
  });
});

describe("each record's row is there once and in order", () => {
  for (const cell of isNightly ? cells : someCells()) {
    const key = keyOf(cell.sink.name, cell.store.name, cell.point);
    it(key, async () => {
      const name = newName("g");
      try {
        const outcome = await play(cell, { servers, name, dir: join(dir, name) }, input);
        found.set(key, outcome);
        if (!writes) expect(outcome).toBe(documented.get(key));
      } catch (error) {
        throw new Error(`TEST_SEED=${seed} npx vitest run test/guarantees`, { cause: error });
      }
    });
  }
});
