// What the checkpoint store shares with the sink: addresses, the connection to a cluster, its tables, and timestamps. A
// closed list.
export {
  type AddressOptions,
  checkedAddress,
  checkTableName,
  type HBaseAddress,
  hbaseUrl,
  parseHBaseUrl,
} from "./address.ts";
export { connectHBase } from "./connect.ts";
export { NO_TABLE } from "./rpc-errors.ts";
export { Stamps } from "./stamps.ts";
export type { HBaseCell, HBaseCluster, HBaseTable } from "./table.ts";
