// The comparison's command line: which workloads, how many records and rounds, beside whom.
// Usage: npm run bench -- all|quick|w0…w4 [options]
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { serversRoot } from "../../servers/repository.ts";
import { print } from "../report.ts";
import { openArena } from "./arena.ts";
import { type CompareOptions, compare } from "./compare.ts";
import { comparisonText } from "./comparison-table.ts";
import type { Tools } from "./contestant.ts";
import { thisMachine } from "./machine.ts";
import { type Measurement, writePage } from "./performance-page.ts";
import { type Workload, workloads } from "./workload.ts";

interface Options extends CompareOptions {
  readonly write: boolean;
}

const QUICK = { names: ["w1"], records: 1_000_000, rounds: 3, peers: ["kafka-streams"] } as const;
const names = workloads.map(({ name }) => name);
const peerNames = [
  ...new Set(
    workloads
      .flatMap(({ contestants }) => contestants)
      .filter(({ side }) => side !== "ours")
      .map(({ name }) => name),
  ),
];

function count(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("Write a whole number from 1.");
  return number;
}

function peers(text: string): readonly string[] {
  const chosen = text === "none" ? [] : text.split(",");
  const unknown = chosen.find((name) => !peerNames.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There are ${peerNames.join(", ")}, and none.`);
  return chosen;
}

function workload(name: string, earlier: readonly string[] = []): readonly string[] {
  if (name !== "all" && name !== "quick" && !names.includes(name)) {
    throw new InvalidArgumentError(`There are ${names.join(", ")}, all, and quick.`);
  }
  return [...earlier, name];
}

async function run(chosen: readonly string[], given: Options): Promise<void> {
  const isQuick = chosen.includes("quick");
  const options = isQuick ? { ...given, ...QUICK } : given;
  const wanted = isQuick ? QUICK.names : chosen;
  const running = workloads.filter(({ name }) => chosen.includes("all") || wanted.some((each) => each === name));
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
  }
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const measurements = await measure(running, options, { root: serversRoot, say, signal: stopping.signal });
  if (given.write) await writePage(measurements);
}

async function measure(running: readonly Workload[], options: Options, tools: Tools): Promise<Measurement[]> {
  const machine = await thisMachine(tools.signal);
  const command = `npm run bench -- ${process.argv.slice(2).join(" ")}`;
  const needsDatabase = running.some(({ output }) => output === "table");
  const measurements: Measurement[] = [];
  {
    await using arena = await openArena({ ...options, needsDatabase }, tools);
    for (const each of running) {
      const comparison = await compare(each, arena, options, tools);
      print(`\n${comparisonText(comparison)}`);
      measurements.push({ date: new Date().toISOString().slice(0, 10), command, machine, comparison });
    }
  }
  await rm(join(tools.root, "bench"), { recursive: true, force: true });
  return measurements;
}

await new Command("npm run bench --")
  .description(
    "Tidemark beside other engines and clients, in turns, on a broker of its own. A result is checked before its\n" +
      "time counts; speeds are medians with their ranges, and a ratio counts where whole ranges are apart.\n\n" +
      `${workloads.map(({ name, title }) => `  ${name}  ${title}`).join("\n")}\n` +
      "  all    all of these\n  quick  w1 with a million records beside Kafka Streams, within three minutes",
  )
  .argument("<workloads...>", "which, of those above", workload)
  .option("--records <n>", "records in the topic", count, 4_000_000)
  .option("--batch <n>", "records in a batch of Tidemark, Spark and (as a window) Flink", count, 1_000_000)
  .option("--rounds <n>", "rounds", count, 5)
  .option("--peers <names>", `beside whom: ${peerNames.join(",")}, or none (default: all)`, peers)
  .option("--write", "put what was measured into docs/performance.md, .json and .svg", false)
  .action(run)
  .parseAsync(process.argv);
