// The sink's contract suite on a real HBase.
import { afterAll, beforeAll } from "vitest";
import { hbaseSink } from "../../connectors/hbase/index.ts";
import { type SinkUnderTest, type SuiteRow, sinkContract } from "../contracts/sink.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestCluster, testCluster } from "./cluster.ts";

const { signal } = new AbortController();
let test: TestCluster;
beforeAll(async () => {
  test = await testCluster();
}, serverStartTimeoutMs);
afterAll(() => test[Symbol.asyncDispose]());

sinkContract({
  name: "HBase",
  guarantee: "exactly-once",
  fences: true,
  create: tableUnderTest,
});

async function tableUnderTest(): Promise<SinkUnderTest> {
  const table = newName("rows");
  await test.cluster.ensureTable(table, ["f"], signal);
  const keyOf = ({ id }: SuiteRow) => `${id}`.padStart(6, "0");
  const everything = { from: Buffer.alloc(0), until: Buffer.alloc(0), limit: 1_000_000, family: "f" };
  return {
    sink: hbaseSink({ zookeeper: test.zookeeper, table, row: keyOf, columns: ["text"] }),
    async readAll() {
      const rows = await test.cluster.table(table).scan(everything, signal);
      return rows.map(({ row, cells: [cell] }) => ({
        id: Number(Buffer.from(row).toString()),
        text: Buffer.from(cell?.value ?? []).toString(),
      }));
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}
