// The job of eight batches with its rows in a table of HBase, and its checkpoint there too.
import { hbaseStore } from "../../checkpoints/hbase.ts";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { type NumbersJob, startNumbersJob } from "../contracts/numbers-job.ts";
import { newName, type TestCluster } from "./cluster.ts";

const { signal } = new AbortController();

/** Starts it; its rows go to the table of its name. */
export async function startNumbers(test: TestCluster): Promise<NumbersJob> {
  const name = newName("numbers");
  await test.cluster.ensureTable(name, ["f"], signal);
  const { zookeeper, table, offsetsTable } = test;
  return startNumbersJob({
    name,
    sink: hbaseSink({ zookeeper, table: name, row: "key" }),
    checkpoint: hbaseStore({ zookeeper, table, offsetsTable }),
    async numbers() {
      const all = { from: Buffer.alloc(0), until: Buffer.alloc(0), limit: 20_000, family: "f" };
      const rows = await test.cluster.table(name).scan({ ...all, qualifiers: ["number"] }, signal);
      return rows.map(({ cells }) => Number(Buffer.from(cells[0]?.value ?? []).toString()));
    },
  });
}
