// The latency comparison as a table in Markdown. Pure.
import type { Spread } from "../report.ts";
import type { LatencyComparison, LatencyRow } from "./latency.ts";
import { failureList, table } from "./table.ts";

const HEAD = ["ms", "record p50", "record p99", "batch p50", "batch p99", "CPU, s", "peak, MB"] as const;

/** The table, and a line for each run without figures. */
export function latencyText({ perSecond, seconds, rounds, rows }: LatencyComparison): string {
  return [
    "### W5: latency, batches back to back, checkpoint in files",
    `${perSecond.toLocaleString("en")} records a second for ${seconds} s, ${rounds} round${rounds === 1 ? "" : "s"}; ` +
      "median [lowest–highest]. A record's time is from being handed to the producer to its batch being recorded as " +
      "complete.",
    table([HEAD, ...rows.map(figuresRow)]),
    ...failureList(rows),
  ].join("\n\n");
}

function figuresRow({ label, figures }: LatencyRow): string[] {
  if (figures === undefined) return [label, ...HEAD.slice(1).map(() => "–")];
  const { recordP50, recordP99, batchP50, batchP99, cpuSeconds, peakMb } = figures;
  const times = [recordP50, recordP99, batchP50, batchP99].map(milliseconds);
  return [label, ...times, cpuSeconds.median.toFixed(1), peakMb.toFixed(0)];
}

function milliseconds({ median, min, max }: Spread): string {
  const text = (ms: number) => ms.toFixed(ms < 100 ? 1 : 0);
  return `${text(median)} [${text(min)}–${text(max)}]`;
}
