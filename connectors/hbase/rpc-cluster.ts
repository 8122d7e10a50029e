// A cluster of HBase 2.x: its tables, and the making of one that is missing.
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError, TransientError } from "../../runtime/index.ts";
import type { HBaseAddress } from "./address.ts";
import { metaScan } from "./meta-table.ts";
import { RegionCalls, type Route } from "./region-calls.ts";
import { failureOf, ServerException } from "./rpc-errors.ts";
import { RpcTable } from "./rpc-table.ts";
import type { FamilySettings, HBaseCluster, HBaseTable } from "./table.ts";
import { createTableCall, describeTableCall, familiesOf, type TableDescriptors } from "./table-schema.ts";

const CREATED_WITHIN_MS = 30_000;
const LOOK_EVERY_MS = 100;

/** A cluster of HBase 2.x. Constructing it does no I/O. */
export class RpcCluster implements HBaseCluster {
  readonly protocol = "2.x";
  readonly #calls: RegionCalls;

  constructor(address: HBaseAddress, route?: Route) {
    this.#calls = new RegionCalls(address, route);
  }

  table(name: string): HBaseTable {
    return new RpcTable(this.#calls, name);
  }

  async hasTable(table: string, signal: AbortSignal): Promise<boolean> {
    const patience = this.#calls.patience({ table, doing: `look for the table ${table}`, writes: false, signal });
    for (;;) {
      try {
        await this.#calls.lookUp(table, metaScan(table, new Uint8Array()), signal);
        return true;
      } catch (error) {
        if (error instanceof ServerException && error.className === "TableNotFoundException") return false;
        await patience.wait(error);
      }
    }
  }

  async families(name: string, signal: AbortSignal): Promise<ReadonlyMap<string, FamilySettings>> {
    const { zookeeper: cluster, user } = this.#calls.address;
    try {
      return familiesOf(await this.#calls.callMaster<TableDescriptors>(describeTableCall(name), signal));
    } catch (error) {
      signal.throwIfAborted();
      throw failureOf(error, { doing: `describe the table ${name}`, table: name, cluster, user, writes: false });
    }
  }

  async ensureTable(name: string, families: readonly string[], signal: AbortSignal): Promise<void> {
    if (await this.hasTable(name, signal)) return;
    try {
      await this.#calls.callMaster(createTableCall(name, families), signal);
    } catch (error) {
      // Somebody else was quicker.
      const isThere = error instanceof ServerException && error.className === "TableExistsException";
      if (!isThere) throw signal.aborted ? error : this.#notCreated(error, name, families);
    }
    // It is there when its region is open somewhere.
    const untilMs = performance.now() + CREATED_WITHIN_MS;
    while (!(await this.hasTable(name, signal))) {
      if (performance.now() > untilMs) {
        throw new TransientError(`HBase at ${this.#calls.address.zookeeper} has not opened the table ${name} yet`);
      }
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls[Symbol.asyncDispose]();
  }

  /** A creation whose reply was lost leaves nothing open that matters: the next try finds out. */
  #notCreated(error: unknown, table: string, families: readonly string[]): Error {
    const { zookeeper: cluster, user } = this.#calls.address;
    const failure = failureOf(error, { doing: `create the table ${table}`, table, cluster, user, writes: false });
    if (!(failure instanceof ConfigError)) return failure;
    const command = `create '${table}', ${families.map((family) => `'${family}'`).join(", ")}`;
    const hint = `let an administrator do it, in hbase shell: ${command}`;
    return new ConfigError(failure.message, { hint, cause: error });
  }
}
