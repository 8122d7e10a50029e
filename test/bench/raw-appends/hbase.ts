// HBase: one checkAndMutate of a row, the head compared, head and entry put, as one call on an open connection to the
// region's server; and where positions are to be shown, a second call that puts the customary row.
import { checkedAddress } from "../../../connectors/hbase/address.ts";
import { conditionOf, mutationOf, regionSpecifier } from "../../../connectors/hbase/mutations.ts";
import { RegionCalls } from "../../../connectors/hbase/region-calls.ts";
import { RpcCluster } from "../../../connectors/hbase/rpc-cluster.ts";
import { RpcConnection } from "../../../connectors/hbase/rpc-connection.ts";
import type { RawAppend } from "../raw-append.ts";

const FAMILY = "e";
const LIMITS = { withinMs: 10_000, signal: new AbortController().signal };
const MUTATE = { method: "Mutate", request: "MutateRequest", response: "MutateResponse" } as const;

/** Makes two tables of its own, which stay. */
export async function rawHBaseAppend(zookeeper: string, name: string): Promise<RawAppend> {
  const address = checkedAddress({ zookeeper });
  const [table, offsets] = [`${name}_log`, `${name}_offsets`];
  await using cluster = new RpcCluster(address);
  for (const made of [table, offsets]) await cluster.ensureTable(made, [FAMILY], LIMITS.signal);
  const row = Buffer.from("job");
  await using calls = new RegionCalls(address);
  const region = await calls.regionOf(table, row, LIMITS.signal);
  const offsetsRegion = await calls.regionOf(offsets, row, LIMITS.signal);
  const login = { service: "ClientService", user: address.user } as const;
  // One server has both.
  const connection = await RpcConnection.open(region.server, login, LIMITS);
  return {
    async append(seq, bytes, positions) {
      const stampMs = seq + 1;
      const cellOf = (qualifier: string, value: Uint8Array) => ({ family: FAMILY, qualifier, stampMs, value });
      const puts = [cellOf("head", Buffer.from(`${seq}`)), cellOf(`${seq}`, bytes)];
      const expected = seq === 0 ? undefined : Buffer.from(`${seq - 1}`);
      const condition = conditionOf(row, { family: FAMILY, qualifier: "head", expected });
      const [mutation] = mutationOf({ row, puts, removals: [] });
      const value = { region: regionSpecifier(region), mutation, condition };
      const answer = await connection.call<{ processed?: boolean }>({ ...MUTATE, value }, LIMITS);
      if (answer.processed !== true) throw new Error(`entry ${seq} was refused`);
      if (positions.length === 0) return;
      const shown = positions.map(({ partition, offset }) => cellOf(`${partition}`, Buffer.from(`${offset}`)));
      const [show] = mutationOf({ row: Buffer.from(`topic:group:${stampMs}`), puts: shown, removals: [] });
      await connection.call({ ...MUTATE, value: { region: regionSpecifier(offsetsRegion), mutation: show } }, LIMITS);
    },
    async [Symbol.asyncDispose]() {
      connection.end(new Error("the connection is closed"));
    },
  };
}
