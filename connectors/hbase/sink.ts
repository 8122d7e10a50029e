// The HBase sink's definition: rows are put under keys of their own, so that writing a batch again changes nothing, and
// with the batch's own timestamp, so that whatever an older attempt still writes is older than the batches after it.
// Exactly-once for pipelines that give the same rows for the same records; readers may see a part of a batch while it
// is being written. A batch's rows stay in memory until then.
import {
  type Batch,
  type BatchWrite,
  ConfigError,
  type Sink,
  type SinkContext,
  type SinkWriter,
} from "../../runtime/index.ts";
import { checkedAddress, checkFamilyName, checkTableName, type HBaseAddress, parseHBaseUrl } from "./address.ts";
import { BatchMarker, MARKER_FAMILY } from "./batch-marker.ts";
import { connectHBase } from "./connect.ts";
import { changesOf, type RowBlock } from "./row-block.ts";
import { HBaseRowEncoder } from "./row-encoder.ts";
import type { HBaseCluster, HBaseTable } from "./table.ts";

export type HBaseRowKey = string | number | bigint | Uint8Array;

export interface HBaseSinkOptions<C extends string, Row> {
  /** `hbase://zk1:2181,zk2:2181/table`, with `?parent=` where HBase's znode is another. Or `zookeeper` and `table`. */
  readonly url?: string;
  /** `zk1:2181,zk2:2181`. */
  readonly zookeeper?: string;
  /** `table` or `namespace:table`. It must exist. */
  readonly table?: string;
  /** The property that is the row's key, or a function of the row: text (as UTF-8), a number (in decimal) or bytes. */
  readonly row: C | ((row: Row) => HBaseRowKey);
  /** The column family of all cells; it must exist. Default "f". */
  readonly family?: string;
  /** The properties to write, each to the cell of its name. Default: all but the one that is the key. */
  readonly columns?: readonly C[];
  /** Where the sink keeps its markers; made when it is not there. Default "tidemark_batches". */
  readonly batchesTable?: string;
}

/**
 * Writes rows, which must be objects, to an HBase table, a cell a property: text as UTF-8, numbers, bigints and
 * booleans as their text, a Date as ISO 8601, bytes as they are, other objects and arrays as JSON. null removes the
 * cell, undefined leaves it as it is. Of several rows of one batch with the same key the last one's cells count.
 * Exactly-once for pipelines that give the same rows for the same records.
 * @throws ConfigError an option is wrong
 */
export function hbaseSink<const C extends string = never, Row = object & { readonly [P in C]: unknown }>(
  options: HBaseSinkOptions<C, Row>,
): Sink<Row> {
  const { row, family = "f", columns, batchesTable = "tidemark_batches" } = options;
  const { address, table } = placeOf(options);
  checkFamilyName(family);
  checkTableName(batchesTable);
  if (typeof row !== "function" && (typeof row !== "string" || row === "")) {
    throw new ConfigError("hbaseSink needs to know the key of a row", { hint: 'row: "id", or row: (row) => row.id' });
  }
  if (columns !== undefined && (columns.length === 0 || new Set(columns).size !== columns.length)) {
    throw new ConfigError("columns of hbaseSink must be names, at least one, each once");
  }
  const keyProperty = typeof row === "string" ? row : undefined;
  const keyOf =
    typeof row === "function"
      ? (row as (row: unknown) => unknown)
      : (each: unknown) => (each as Record<string, unknown>)[row];
  return {
    kind: "hbase",
    target: table,
    placeOfBatches: () => `hbase ${address.zookeeper}${address.parent} ${table} ${batchesTable}`,
    guarantee: "exactly-once",
    encodesToBytes: true,
    encoder: () => new HBaseRowEncoder({ keyOf, keyProperty, columns }) as ReturnType<Sink<Row>["encoder"]>,
    open: (context, signal) => open({ address, table, family, batchesTable }, context, signal),
  };
}

interface Place {
  readonly address: HBaseAddress;
  readonly table: string;
  readonly family: string;
  readonly batchesTable: string;
}

async function open(place: Place, context: SinkContext, signal: AbortSignal): Promise<SinkWriter> {
  const { address, table, family, batchesTable } = place;
  const cluster = await connectHBase(address, signal);
  try {
    // Both are found missing now, and not when the first rows come.
    await cluster.table(table).get("tidemark", family, ["tidemark"], signal);
    await cluster.ensureTable(batchesTable, [MARKER_FAMILY], signal);
    const marker = new BatchMarker(cluster.table(batchesTable), table, context);
    await marker.raise(signal);
    return writerOf(cluster, marker, place);
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

function writerOf(cluster: HBaseCluster, marker: BatchMarker, { table, family }: Place): SinkWriter {
  return {
    async begin(batch) {
      const begun = await marker.begin(batch);
      if (begun === "already-written") return "already-written";
      return writeOf({ batch, table: cluster.table(table), family, marker, begunMs: begun.stampMs });
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

interface Writing {
  readonly batch: Batch;
  readonly table: HBaseTable;
  readonly family: string;
  readonly marker: BatchMarker;
  readonly begunMs: number | undefined;
}

function writeOf({ batch, table, family, marker, begunMs }: Writing): BatchWrite {
  let blocks: RowBlock[] = [];
  return {
    async write({ data }) {
      blocks.push(data as RowBlock);
    },
    async commit() {
      const stampMs = await marker.stampFor(batch, begunMs);
      await table.write(changesOf(blocks, family, stampMs), batch.signal);
      await marker.written(batch, stampMs);
    },
    async [Symbol.asyncDispose]() {
      blocks = [];
    },
  };
}

function placeOf({ url, zookeeper, table }: { url?: string; zookeeper?: string; table?: string }): {
  address: HBaseAddress;
  table: string;
} {
  if ((url === undefined) === (zookeeper === undefined)) {
    throw new ConfigError("hbaseSink needs either url or zookeeper", { hint: 'url: "hbase://zk1:2181/table"' });
  }
  const parsed = url === undefined ? undefined : parseHBaseUrl(url);
  for (const name of parsed?.parameters.keys() ?? []) {
    throw new ConfigError(`the URL of hbaseSink has an unknown parameter ${JSON.stringify(name.slice(0, 40))}`);
  }
  const name = table ?? parsed?.table;
  if (name === undefined) {
    throw new ConfigError("hbaseSink needs a table", { hint: 'url: "hbase://zk1:2181/table", or table: "table"' });
  }
  return { address: parsed?.address ?? checkedAddress({ zookeeper: zookeeper ?? "" }), table: checkTableName(name) };
}
