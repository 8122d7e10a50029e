// A pipeline may give records as they came: sinks that look at a row's properties see all of theirs, those too that are
// read from the log's bytes on access.
import { expect, it } from "vitest";
import { csvFormat } from "../../connectors/formats/csv-format.ts";
import { ndjsonFormat } from "../../connectors/formats/ndjson-format.ts";
import { HBaseRowEncoder } from "../../connectors/hbase/row-encoder.ts";
import { CopyRowEncoder } from "../../connectors/postgres/row-encoder.ts";
import { bytes, type EncodedRows, RecordDecoder, type RowEncoder, text } from "../../runtime/index.ts";

async function encoded(encoder: RowEncoder<object>): Promise<EncodedRows["data"]> {
  const options = { topic: "t", partition: 3, value: text(), key: bytes(), tombstones: false };
  const decoder = new RecordDecoder({ ...options, skip: new Set<bigint>() });
  const parts = { key: () => Buffer.from("k"), headers: () => [], copy: () => new Uint8Array(0) };
  decoder.add(Buffer.from("v"), 5, 100, 0, 1, 0, 1, parts);
  const { records } = await decoder.take();
  for (const record of records) encoder.add(record);
  return encoder.take()?.data;
}

const NAMES = ["topic", "partition", "offset", "timestamp", "key", "value", "headers"];

it("postgresSink writes all of a record", async () => {
  const bytesOfRow = new TextEncoder().encode("t\t3\t5\t100\t\\\\x6b\tv\t[]\n");
  const blocks = await encoded(new CopyRowEncoder({ columns: undefined, key: [] }));
  expect(blocks).toMatchObject([{ columns: NAMES, bytes: bytesOfRow }]);
});

it("files of CSV have all of a record", async () => {
  expect(await encoded(csvFormat(undefined).encoder())).toMatchObject({ columns: NAMES });
});

it("files of NDJSON take none, and say that it is for the offset, a bigint", async () => {
  await expect(encoded(ndjsonFormat.encoder())).rejects.toThrow("it holds a bigint: use String(value)");
});

it("hbaseSink writes all of a record", async () => {
  const encoder = new HBaseRowEncoder({ keyOf: () => "row", keyProperty: undefined, columns: undefined });
  expect(await encoded(encoder)).toMatchObject({ qualifiers: NAMES });
});
