// A comparison as tables in Markdown, which read well on a terminal too: what was measured, and the ratios, where
// whole ranges are apart. Pure.
import type { Spread } from "../report.ts";
import type { Comparison, Row } from "./compare.ts";
import { ratioOf } from "./figures.ts";
import { failureList, table } from "./table.ts";

const HEAD = [
  "",
  "k records/s",
  "from the first record",
  "whole process",
  "start-up, s",
  "CPU, s",
  "peak, MB",
] as const;

/** Both tables of a comparison, and a line for each run without figures. */
export function comparisonText(comparison: Comparison): string {
  const { workload, title, records, rounds, rows } = comparison;
  const what = `${records.toLocaleString("en")} records, ${rounds} round${rounds === 1 ? "" : "s"}`;
  const measured = table([HEAD, ...rows.map(figuresRow)]);
  return [
    `### ${workload.toUpperCase()}: ${title}`,
    `${what}; median [lowest–highest].`,
    measured,
    ratioTable(comparison),
    ...failureList(rows),
  ].join("\n\n");
}

function figuresRow({ label, atLeastOnce, summary }: Row): string[] {
  const name = atLeastOnce ? `${label} (at least once)` : label;
  if (summary === undefined) return [name, ...HEAD.slice(1).map(() => "–")];
  const { work, fromFirst, whole, startSeconds, cpuSeconds, peakMb } = summary;
  return [
    name,
    thousands(work),
    fromFirst === undefined ? "–" : thousands(fromFirst),
    thousands(whole),
    startSeconds === undefined ? "–" : startSeconds.median.toFixed(1),
    cpuSeconds.median.toFixed(1),
    peakMb.toFixed(0),
  ];
}

function thousands({ median, min, max }: Spread): string {
  const text = (speed: number) => Math.round(speed / 1000).toLocaleString("en");
  return `${text(median)} [${text(min)}–${text(max)}]`;
}

/** How each of ours compares with each other one: in the work, from the first record, and in CPU time. */
function ratioTable({ rows }: Comparison): string {
  const ours = rows.filter(({ side }) => side === "ours");
  const others = rows.filter(({ side }) => side !== "ours");
  if (others.length === 0) return "No others took part.";
  const head = ["as fast as (work; from the first record; per CPU)", ...ours.map(({ label }) => label)];
  return table([head, ...others.map((other) => [other.label, ...ours.map((own) => ratioCell(own, other))])]);
}

function ratioCell({ summary: own }: Row, { side, summary: other }: Row): string {
  if (own === undefined || other === undefined) return "–";
  const rounds = Math.min(own.rounds, other.rounds);
  const fromFirst = own.fromFirst && other.fromFirst && ratioText(own.fromFirst, other.fromFirst, rounds);
  // Of processor time less is better. A floor leaves its work to a server.
  const cpu = side === "floor" ? "–" : ratioText(other.cpuSeconds, own.cpuSeconds, rounds);
  return [ratioText(own.work, other.work, rounds), fromFirst ?? "–", cpu].join("; ");
}

/** In parentheses when it does not count. */
function ratioText(one: Spread, other: Spread, rounds: number): string {
  const { times, counts } = ratioOf(one, other, rounds);
  const text = `${times.toFixed(times < 10 ? 1 : 0)} ×`;
  return counts ? text : `(${text})`;
}
