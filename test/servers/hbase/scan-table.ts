// HBase's own Java client as the independent witness of what Tidemark wrote: a scan, as `hbase shell` would show it.
// Needs a JDK, for the program is compiled as it is run.
import { fileURLToPath } from "node:url";
import { javaDefaults, requireJava } from "../java.ts";
import { mustRun } from "../run-program.ts";
import type { HbaseAddresses } from "./server.ts";

const program = fileURLToPath(new URL("ScanTable.java", import.meta.url));
const logging = fileURLToPath(new URL("log4j.properties", import.meta.url));
const installHint =
  "apt-get install default-jdk-headless maven (Debian, Ubuntu), or: brew install openjdk maven (macOS)";

/** What is not printable in row, column and value is `\xNN`. */
export interface ScannedCell {
  readonly row: string;
  /** `family:qualifier`. */
  readonly column: string;
  readonly timestamp: number;
  readonly value: string;
}

export interface ScanOptions {
  readonly signal: AbortSignal;
  /** From this row (inclusive; `\xNN` for what is not printable) downwards, so many rows; default: all, upwards. */
  readonly reversed?: { readonly from: string; readonly rows: number };
}

/**
 * The newest cells of a table, row by row (some seconds: it is a Java program).
 * @throws ConfigError Java is missing
 * @throws Error it failed; with the end of what it printed
 */
export async function scanTable(
  { jars, configuration }: Pick<HbaseAddresses, "jars" | "configuration">,
  table: string,
  { signal, reversed }: ScanOptions,
): Promise<readonly ScannedCell[]> {
  await requireJava(signal);
  const java = [...javaDefaults, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"];
  const options = [...java, `-Dlog4j.configuration=file:${logging}`, "-cp", `${configuration}:${jars}`];
  const asked = reversed === undefined ? [] : [reversed.from, `${reversed.rows}`];
  const lines = await mustRun("java", [...options, program, table, ...asked], { installHint, signal });
  return (
    lines
      .split("\n")
      // The client logs there as well.
      .filter((line) => line.startsWith("cell\t"))
      .map((line) => {
        const [, row = "", column = "", timestamp = "", value = ""] = line.split("\t");
        return { row, column, timestamp: Number(timestamp), value };
      })
  );
}
