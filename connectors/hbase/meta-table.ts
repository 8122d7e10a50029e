// Reads hbase:meta, where each region has a row `table,start key,time.hash.` with what it is and who serves it. The row
// of the region that holds a key is the nearest at or below `table,key,99999999999999`, hence the scan backwards. Pure
// but for the scan that is handed in.
import { decode, type ResultMessage } from "./messages.ts";
import type { Region } from "./regions.ts";
import type { Call } from "./rpc-connection.ts";
import { ServerException } from "./rpc-errors.ts";

/** hbase:meta is one region with this name, always. */
const META_REGION = { type: 1, value: Buffer.from("hbase:meta,,1") };
/** Later than any time in a region's name. */
const LAST = "99999999999999";
/** How a serialized RegionInfo begins. */
const MAGIC = "PBUF";

interface RegionInfo {
  readonly tableName: { readonly namespace: Uint8Array; readonly qualifier: Uint8Array };
  readonly startKey?: Uint8Array;
  readonly endKey?: Uint8Array;
}

/** The call that looks for the region of a row; with `isBefore`, for the one that ends where `row` begins a region. */
export function metaScan(table: string, row: Uint8Array, isBefore = false): Call {
  const first = Buffer.from(`${table},`);
  const startRow = Buffer.concat([first, row, Buffer.from(isBefore ? "," : `,${LAST}`)]);
  return {
    method: "Scan",
    request: "ScanRequest",
    response: "ScanResponse",
    value: {
      region: META_REGION,
      scan: {
        column: [{ family: Buffer.from("info"), qualifier: ["regioninfo", "server"].map((name) => Buffer.from(name)) }],
        startRow,
        stopRow: Buffer.from(`${table},,`),
        includeStopRow: true,
        reversed: true,
        caching: 1,
      },
      numberOfRows: 1,
      limitOfRows: 1,
      closeScanner: true,
    },
  };
}

/**
 * The region that a row of hbase:meta describes.
 * @throws ServerException there is no such table, or nobody serves the region now
 */
export function regionOf(table: string, result: ResultMessage | undefined): Region {
  const cells = new Map(result?.cell.map(({ qualifier, value }) => [textOf(qualifier), value]));
  const [name] = result?.cell.map(({ row }) => row) ?? [];
  const info = cells.get("regioninfo");
  if (name === undefined || info === undefined) throw noTable(table);
  if (textOf(info.subarray(0, MAGIC.length)) !== MAGIC) throw new Error("hbase:meta holds what is no region");
  const { tableName, startKey, endKey } = decode<RegionInfo>("RegionInfo", info.subarray(MAGIC.length));
  const namespace = textOf(tableName.namespace);
  const found = `${namespace === "default" ? "" : `${namespace}:`}${textOf(tableName.qualifier)}`;
  if (found !== table) throw noTable(table);
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(textOf(cells.get("server"))) ?? [];
  if (host === undefined) {
    const stackTrace = `nobody serves ${textOf(name)} now`;
    throw new ServerException({ className: "NotServingRegionException", stackTrace, doNotRetry: false });
  }
  // Copies, so that a small region does not keep a large answer.
  return {
    name: Uint8Array.from(name),
    start: Uint8Array.from(startKey ?? []),
    end: Uint8Array.from(endKey ?? []),
    server: { host, port: Number(port) },
  };
}

function noTable(table: string): ServerException {
  const stackTrace = `there is no table ${table}`;
  return new ServerException({ className: "TableNotFoundException", stackTrace, doNotRetry: true });
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
