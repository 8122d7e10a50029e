// Dead letters may not go where the rows go: each sink would take the other's batch for its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { fileSink } from "../../connectors/files/index.ts";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { ConfigError, deadLetter, defineJob, runJob, type Sink } from "../../runtime/index.ts";

const folder = mkdtempSync(join(tmpdir(), "tidemark-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

// Nobody listens there: what is refused is refused before anything is opened.
const url = "postgres://somebody@127.0.0.1:1/app";
const pairs: readonly (readonly [name: string, rows: Sink<object>, letters: Sink<object>])[] = [
  ["files", fileSink({ dir: join(folder, "out") }), fileSink({ dir: join(folder, "out", ".") })],
  ["postgres", postgresSink({ url, table: "rows" }), postgresSink({ url: `${url}?sslmode=disable`, table: "rows" })],
  ["hdfs", hdfsSink({ url: "webhdfs://127.0.0.1:1/out" }), hdfsSink({ url: "webhdfs://127.0.0.1:1/out/" })],
  [
    "hbase",
    hbaseSink({ url: "hbase://127.0.0.1:1/t", row: "id" }),
    hbaseSink({ url: "hbase://127.0.0.1:1/t", row: "id" }),
  ],
];

function jobOf(rows: Sink<object>, letters: Sink<object>) {
  return defineJob({
    name: "letters",
    source: memorySource({ records: [1, 2, 3] }),
    pipeline: (records$) => records$,
    sink: rows,
    onPoisonRecord: deadLetter(letters),
    checkpoint: "memory:",
    trigger: "once",
  });
}

it.each(pairs)("is refused for one place of %s, before anything is opened", async (_name, rows, letters) => {
  const run = runJob(jobOf(rows, letters));
  await expect(run).rejects.toThrow(ConfigError);
  await expect(run).rejects.toMatchObject({ code: "DEAD_LETTERS_AMONG_ROWS" });
});

it("is allowed for two folders side by side", async () => {
  const rows = fileSink({ dir: join(folder, "rows") });
  const result = await runJob(jobOf(rows, fileSink({ dir: join(folder, "letters") })));
  expect(result.reason).toBeDefined();
});
