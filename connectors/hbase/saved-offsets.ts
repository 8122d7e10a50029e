// `hbaseOffsets`: the customary table of offsets of Spark Streaming jobs as a place that positions are imported from. A
// batch is a row `topic:group:epochMs` with a cell for each partition, whose value is the next offset in decimal; the
// newest is the first row of a scan backwards. Only read, never written.
import { ConfigError, type Position, type SavedPositions, type SavedPositionsPlace } from "../../runtime/index.ts";
import { hbaseUrl, parseHBaseUrl } from "./address.ts";
import { connectHBase } from "./connect.ts";
import type { FoundRow, HBaseTable } from "./table.ts";

const DEFAULT_TABLE = "stream_kafka_offsets";
const DEFAULT_FAMILY = "offsets";
const EXAMPLE = "hbase://127.0.0.1:2181/stream_kafka_offsets?group=billing&topic=payments";
const ROWS_AT_ONCE = 100;
/** The byte after '9': above every time that a row key may end with. */
const AFTER_DIGITS = ":";

/**
 * The offsets of a group in HBase.
 * @param url `hbase://zk1:2181,zk2:2181/TABLE?group=GROUP&topic=TOPIC`, with a `topic` for each topic; the table is
 * `stream_kafka_offsets` unless given, and its family `offsets` unless `family` says otherwise
 * @throws ConfigError it is no such URL
 */
export function hbaseOffsets(url: string): SavedPositionsPlace {
  const { address, table = DEFAULT_TABLE, parameters } = parseHBaseUrl(url);
  const unknown = [...parameters.keys()].find((name) => name !== "group" && name !== "topic" && name !== "family");
  const group = parameters.get("group") ?? "";
  const topics = [...new Set(parameters.getAll("topic").flatMap((each) => each.split(",")))].filter(
    (each) => each !== "",
  );
  const family = parameters.get("family") ?? DEFAULT_FAMILY;
  if (group === "" || topics.length === 0 || unknown !== undefined) {
    const what = unknown === undefined ? "needs a group and a topic" : `has no parameter ${JSON.stringify(unknown)}`;
    throw new ConfigError(`the URL of offsets in HBase ${what}`, { hint: `write ${EXAMPLE}` });
  }
  const query = new URLSearchParams({ group, topic: topics.join(",") });
  const shown = hbaseUrl(address, table);
  return {
    url: `${shown}${shown.includes("?") ? "&" : "?"}${query}`,
    async read(signal) {
      await using cluster = await connectHBase(address, signal);
      const rows = cluster.table(table);
      const positions: Position[] = [];
      for (const topic of topics) positions.push(...(await newest(rows, { topic, group, family }, signal)));
      return { positions, nextBatchId: 0, inFlight: undefined, notes: [] } satisfies SavedPositions;
    },
  };
}

interface Wanted {
  readonly topic: string;
  readonly group: string;
  readonly family: string;
}

async function newest(table: HBaseTable, wanted: Wanted, signal: AbortSignal): Promise<Position[]> {
  const prefix = `${wanted.topic}:${wanted.group}:`;
  const until = Buffer.from(prefix);
  let from = Buffer.from(prefix + AFTER_DIGITS);
  for (;;) {
    const range = { from, until, isReversed: true, limit: ROWS_AT_ONCE, family: wanted.family };
    const rows = await table.scan(range, signal);
    // Between may be rows of a group whose name begins with this one's and a colon.
    const row = rows.find((found) => /^\d{1,19}$/.test(textOf(found.row.subarray(until.byteLength))));
    if (row !== undefined) return positionsOf(row, wanted);
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) break;
    from = Buffer.from(last.row);
  }
  throw new ConfigError(`the table ${table.name} in HBase has no row ${prefix}…`, {
    hint: `hbase shell: scan '${table.name}', {REVERSED => true, LIMIT => 10} shows the newest rows`,
  });
}

function positionsOf({ row, cells }: FoundRow, { topic }: Wanted): Position[] {
  return cells.map(({ qualifier, value }) => {
    const digits = /^\s*(\d{1,19})\s*$/.exec(textOf(value))?.[1];
    if (digits !== undefined && /^(0|[1-9]\d{0,8})$/.test(qualifier)) {
      return { topic, partition: Number(qualifier), offset: BigInt(digits) };
    }
    const cell = `${qualifier.slice(0, 40)} = ${JSON.stringify(textOf(value.subarray(0, 40)))}`;
    throw new ConfigError(`the row ${textOf(row)} in HBase has a cell that is no partition's offset: ${cell}`, {
      hint: "is it another program's layout? a cell is partition = next offset, both in decimal digits",
    });
  });
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
