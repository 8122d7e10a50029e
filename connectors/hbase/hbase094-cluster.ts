// A cluster that speaks the protocol of HBase 0.94. Its master cannot be asked from here, so a table that is missing is
// made by a person, who is told what to type.
import { ConfigError } from "../../runtime/index.ts";
import type { HBaseAddress } from "./address.ts";
import { Hbase094Calls } from "./hbase094-calls.ts";
import { Hbase094Table, hasTable094 } from "./hbase094-table.ts";
import type { HBaseCluster, HBaseTable } from "./table.ts";

/** A cluster of HBase 0.94. Constructing it does no I/O. */
export class Hbase094Cluster implements HBaseCluster {
  readonly protocol = "0.94";
  readonly #address: HBaseAddress;
  readonly #calls: Hbase094Calls;

  constructor(address: HBaseAddress) {
    this.#address = address;
    this.#calls = new Hbase094Calls(address);
  }

  table(name: string): HBaseTable {
    return new Hbase094Table(this.#calls, name);
  }

  async hasTable(name: string, signal: AbortSignal): Promise<boolean> {
    return await hasTable094(this.#calls, name, signal);
  }

  async ensureTable(name: string, families: readonly string[], signal: AbortSignal): Promise<void> {
    if (await this.hasTable(name, signal)) return;
    const described = families.map((family) => `{NAME => '${family}', VERSIONS => 1}`);
    throw new ConfigError(`HBase at ${this.#address.zookeeper} has no table ${name}, and 0.94 makes none from here`, {
      hint: `in hbase shell: create '${name}', ${described.join(", ")}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls[Symbol.asyncDispose]();
  }
}
