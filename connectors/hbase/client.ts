// What the checkpoint store shares with the sink: addresses, the connection to a cluster, and its tables. A closed list.
export {
  type AddressOptions,
  checkedAddress,
  checkTableName,
  type HBaseAddress,
  hbaseUrl,
  parseHBaseUrl,
} from "./address.ts";
export { connectHBase } from "./connect.ts";
export type { HBaseCell, HBaseCluster, HBaseTable } from "./table.ts";
