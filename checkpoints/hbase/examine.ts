// What is wrong or unwise about a cluster as a checkpoint store, for `doctor`. It changes nothing.
import type { HBaseAddress, HBaseCluster } from "../../connectors/hbase/client.ts";
import { FAMILY } from "./job-row.ts";

/** What a table of HBase that keeps its cells for ever has as TTL, in seconds; the largest there is. */
const FOREVER = ["FOREVER", `${2 ** 31 - 1}`];

/** The findings about the store's table, one a line. */
export async function examineTable(
  cluster: HBaseCluster,
  { zookeeper }: HBaseAddress,
  table: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const findings: string[] = [];
  if (cluster.protocol === "0.94") {
    findings.push(`HBase at ${zookeeper} speaks the protocol of 0.94, which has had no releases since 2015`);
  }
  const families = await cluster.families?.(table, signal);
  if (families === undefined || families.size === 0) return findings;
  const settings = families.get(FAMILY);
  if (settings === undefined) {
    findings.push(`the table ${table} has no family ${FAMILY}: alter '${table}', '${FAMILY}' in hbase shell`);
    return findings;
  }
  const seconds = settings.get("TTL");
  if (seconds !== undefined && !FOREVER.includes(seconds)) {
    const mend = `alter '${table}', {NAME => '${FAMILY}', TTL => 'FOREVER'}`;
    findings.push(`the table ${table} forgets a job that was idle for ${seconds} s: ${mend} in hbase shell`);
  }
  return findings;
}
