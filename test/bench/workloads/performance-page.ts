// docs/performance.md with its chart and docs/performance.json, which keeps what was measured last of each workload, so
// that they may be measured one at a time. Of the page only what lies between the markers is written anew.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chart } from "./chart.ts";
import type { Comparison } from "./compare.ts";
import { comparisonText } from "./comparison-table.ts";
import type { LatencyComparison } from "./latency.ts";
import { latencyText } from "./latency-table.ts";
import type { Machine } from "./machine.ts";

const docs = new URL("../../../docs/", import.meta.url);
const [page, figures, picture] = ["performance.md", "performance.json", "performance.svg"].map((name) =>
  fileURLToPath(new URL(name, docs)),
) as [string, string, string];
const BEGIN = "<!-- measured: `npm run bench` writes what is below -->";
const END = "<!-- end of what was measured -->";

/** What was measured of one workload, when and where. */
export interface Measurement {
  /** ISO 8601, the day only. */
  readonly date: string;
  readonly command: string;
  readonly machine: Machine;
  readonly comparison: Comparison | LatencyComparison;
}

/** A comparison's tables in Markdown. */
export function textOf(comparison: Comparison | LatencyComparison): string {
  return comparison.kind === "latency" ? latencyText(comparison) : comparisonText(comparison);
}

/** Puts these measurements in the place of earlier ones of the same workloads. */
export async function writePage(measurements: readonly Measurement[]): Promise<void> {
  const earlier = JSON.parse(await readFile(figures, "utf8").catch(() => "[]")) as Measurement[];
  const all = merged(earlier, measurements);
  await writeFile(figures, `${JSON.stringify(all, null, 2)}\n`);
  const speeds = all.map(({ comparison }) => comparison).filter(({ kind }) => kind === "throughput");
  await writeFile(picture, chart(speeds as Comparison[]));
  await writeFile(page, withMeasured(await readFile(page, "utf8"), measuredText(all)));
}

/** In the order of the workloads' names. */
export function merged(earlier: readonly Measurement[], later: readonly Measurement[]): Measurement[] {
  const byName = new Map([...earlier, ...later].map((each) => [each.comparison.workload, each]));
  return [...byName.values()].sort((a, b) => (a.comparison.workload < b.comparison.workload ? -1 : 1));
}

/**
 * The page with `text` between its markers.
 * @throws Error the page has no markers
 */
export function withMeasured(text: string, measured: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`docs/performance.md must have the lines ${BEGIN} and ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${measured}\n\n${text.slice(end)}`;
}

function measuredText(all: readonly Measurement[]): string {
  const parts = all.map(({ date, command, machine, comparison }) => {
    const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
    const where = `${machine.cpus} × ${machine.cpu}, ${machine.memoryGb} GB, ${machine.system}; ${versions.join(", ")}`;
    return `${textOf(comparison)}\n\n\`${command}\`, ${date}, ${where}.`;
  });
  return ["![Records a second, as bars](performance.svg)", ...parts].join("\n\n");
}
