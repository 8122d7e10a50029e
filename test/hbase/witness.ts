// HBase's own client in Java, kept running while a test file asks it (Witness.java): what it reads and does goes past
// the code under test.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { HbaseAddresses } from "../servers/hbase/server.ts";
import { javaDefaults } from "../servers/java.ts";

const program = fileURLToPath(new URL("Witness.java", import.meta.url));

export interface Witness extends AsyncDisposable {
  /** The cells `family:qualifier=value` of the first row of the customary scan backwards; ["none"] without one. */
  latest(table: string, topic: string, group: string): Promise<string[]>;
  /** The cells `family:qualifier=value` of a row. */
  row(table: string, row: string): Promise<string[]>;
  /** The keys of the rows that begin like this. */
  rows(table: string, prefix: string): Promise<string[]>;
  regions(table: string): Promise<number>;
  /** Makes a table with the family f, whose regions begin at these keys and at the beginning. */
  create(table: string, ...starts: string[]): Promise<void>;
  /** Lets a family's cells live so long. */
  ttl(table: string, family: string, seconds: number): Promise<void>;
  /** Splits the region that holds the key, there. */
  split(table: string, key: string): Promise<void>;
  flush(table: string): Promise<void>;
  deleteRow(table: string, row: string): Promise<void>;
  disable(table: string): Promise<void>;
  drop(table: string): Promise<void>;
}

/** Starts the client; it needs a JDK, and some seconds. */
export function startWitness({ jars, configuration }: HbaseAddresses): Witness {
  const speed = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"];
  const java = "java";
  const child = spawn(java, [...javaDefaults, ...speed, "-cp", `${configuration}:${jars}`, program], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const ask = (...words: string[]): Promise<string[]> => {
    const answer = last.then(async () => {
      child.stdin.write(`${words.join("\t")}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`HBase's client ended: ${said}`);
      const fields = String(value).split("\t");
      if (fields[0] === "error") throw new Error(`${words.join(" ")}: ${fields[1]}`);
      return value === "" ? [] : fields;
    });
    last = answer.catch(() => undefined);
    return answer;
  };
  const act = async (...words: string[]) => void (await ask(...words));
  return {
    latest: (table, topic, group) => ask("latest", table, topic, group),
    row: (table, row) => ask("row", table, row),
    rows: (table, prefix) => ask("rows", table, prefix),
    regions: async (table) => Number((await ask("regions", table))[0]),
    create: (table, ...starts) => act("create", table, ...starts),
    ttl: (table, family, seconds) => act("ttl", table, family, `${seconds}`),
    split: (table, key) => act("split", table, key),
    flush: (table) => act("flush", table),
    deleteRow: (table, row) => act("delete-row", table, row),
    disable: (table) => act("disable", table),
    drop: (table) => act("drop", table),
    async [Symbol.asyncDispose]() {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      child.stdin.end();
      if (!isOver) await once(child, "exit");
    },
  };
}
