// HBase: one checkAndMutate of a row, the head compared, head and entry put, as one call on an open connection to the
// region's server.
import { checkedAddress } from "../../../connectors/hbase/address.ts";
import { conditionOf, mutationOf, regionSpecifier } from "../../../connectors/hbase/mutations.ts";
import { RegionCalls } from "../../../connectors/hbase/region-calls.ts";
import { RpcCluster } from "../../../connectors/hbase/rpc-cluster.ts";
import { RpcConnection } from "../../../connectors/hbase/rpc-connection.ts";
import type { RawAppend } from "../raw-append.ts";

const FAMILY = "e";
const WITHIN_MS = 10_000;

/** Makes a table of its own, which stays. */
export async function rawHBaseAppend(zookeeper: string, table: string): Promise<RawAppend> {
  const { signal } = new AbortController();
  const address = checkedAddress({ zookeeper });
  await using cluster = new RpcCluster(address);
  await cluster.ensureTable(table, [FAMILY], signal);
  const row = Buffer.from("job");
  await using calls = new RegionCalls(address);
  const region = await calls.regionOf(table, row, signal);
  const login = { service: "ClientService", user: address.user } as const;
  const connection = await RpcConnection.open(region.server, login, { withinMs: WITHIN_MS, signal });
  return {
    async append(seq, bytes) {
      const stampMs = seq + 1;
      const puts = [
        { family: FAMILY, qualifier: "head", stampMs, value: Buffer.from(`${seq}`) },
        { family: FAMILY, qualifier: `${seq}`, stampMs, value: bytes },
      ];
      const expected = seq === 0 ? undefined : Buffer.from(`${seq - 1}`);
      const condition = conditionOf(row, { family: FAMILY, qualifier: "head", expected });
      const [mutation] = mutationOf({ row, puts, removals: [] });
      const call = { method: "Mutate", request: "MutateRequest", response: "MutateResponse" } as const;
      const value = { region: regionSpecifier(region), mutation, condition };
      const answer = await connection.call<{ processed?: boolean }>(
        { ...call, value },
        { withinMs: WITHIN_MS, signal },
      );
      if (answer.processed !== true) throw new Error(`entry ${seq} was refused`);
    },
    async [Symbol.asyncDispose]() {
      connection.end(new Error("the connection is closed"));
    },
  };
}
