// The comparison's command line: which workloads, how many records and rounds, beside whom.
// Usage: npm run bench -- all|quick|w0…w5 [options]
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { serversRoot } from "../../servers/repository.ts";
import { print } from "../report.ts";
import { openArena } from "./arena.ts";
import { type CompareOptions, compare } from "./compare.ts";
import type { Tools } from "./contestant.ts";
import { compareLatency, type LatencyContestant } from "./latency.ts";
import { latencyContestants } from "./latency-contestants.ts";
import { thisMachine } from "./machine.ts";
import { type Measurement, textOf, writePage } from "./performance-page.ts";
import { workloads } from "./workload.ts";

interface Options extends CompareOptions {
  readonly write: boolean;
}

const QUICK = { names: ["w1"], records: 1_000_000, rounds: 3, peers: ["kafka-streams"] } as const;
const LATENCY = "w5";
const names = [...workloads.map(({ name }) => name), LATENCY];
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

/** A batch that has all users, whatever its bounds: by that W2's results are checked. */
function batch(text: string): number {
  const number = count(text);
  if (number < 200_000) throw new InvalidArgumentError("Write 200000 or more: W2 wants all users in a batch.");
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
  const wanted: readonly string[] = isQuick ? QUICK.names : chosen.includes("all") ? names : chosen;
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
  }
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await measure(wanted, options, { root: serversRoot, say, signal: stopping.signal });
}

async function measure(wanted: readonly string[], options: Options, tools: Tools): Promise<void> {
  const machine = await thisMachine(tools.signal);
  const command = `npm run bench -- ${process.argv.slice(2).join(" ")}`;
  const running = workloads.filter(({ name }) => wanted.includes(name));
  const needsDatabase = running.some(({ output }) => output === "table");
  // Latency is measured on topics of its own.
  const records = running.length === 0 ? 1 : options.records;
  const tell = async (comparison: Measurement["comparison"]) => {
    print(`\n${textOf(comparison)}`);
    const date = new Date().toISOString().slice(0, 10);
    // At once, so that a run that is stopped leaves what it has.
    if (options.write) await writePage([{ date, command, machine, comparison }]);
  };
  {
    await using arena = await openArena({ ...options, records, needsDatabase }, tools);
    for (const each of running) await tell(await compare(each, arena, options, tools));
    if (wanted.includes(LATENCY)) await tell(await compareLatency(arena, takingPart(options), options.rounds, tools));
  }
  await rm(join(tools.root, "bench"), { recursive: true, force: true });
}

function takingPart({ peers: chosenPeers }: Options): readonly LatencyContestant[] {
  return latencyContestants.filter(({ name }) => name === "tidemark" || (chosenPeers?.includes(name) ?? true));
}

await new Command("npm run bench --")
  .description(
    "Tidemark beside other engines and clients, in turns, on a broker of its own. A result is checked " +
      "before its time counts; speeds are medians with their ranges, and a ratio counts where whole ranges are " +
      "apart.\n\n" +
      `${workloads.map(({ name, title }) => `  ${name}  ${title}`).join("\n")}\n` +
      `  ${LATENCY}  latency at 1,000 records a second, beside Spark\n` +
      "  all    all of these\n  quick  w1 with a million records beside Kafka Streams, within three minutes",
  )
  .argument("<workloads...>", "which, of those above", workload)
  .option("--records <n>", "records in the topic", count, 4_000_000)
  .option("--batch <n>", "records in a batch of Tidemark, Spark and (as a window) Flink", batch, 1_000_000)
  .option("--rounds <n>", "rounds", count, 5)
  .option("--peers <names>", `beside whom: ${peerNames.join(",")}, or none (default: all)`, peers)
  .option("--write", "put what was measured into docs/performance.md, .json and .svg", false)
  .action(run)
  .parseAsync(process.argv);
