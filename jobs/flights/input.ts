// Lays out the input of the flight jobs: real departures of one day (npm's vega-datasets) as a log of four partitions,
// dealt out in turn, in order of departure. At first the day until 20:00; each run with `--more` lets one more hour of
// flights arrive. What is there already is never written again.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { clockTime, type Flight } from "./flight.ts";

const dataset = fileURLToPath(new URL("../../node_modules/vega-datasets/data/flights-200k.json", import.meta.url));
const log = fileURLToPath(new URL("data/flights", import.meta.url));
const partitionCount = 4;
const firstUntilHour = 20;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function partitionPath(folder: string, partition: number): string {
  return `${folder}/${partition}.ndjson`;
}

function lineCount(path: string): number {
  return readFileSync(path, "latin1").split("\n").length - 1;
}

/** The lines of the flights that fall to one partition, from its line `fromLine` on, of all flights before `until`. */
function linesOf(partition: number, fromLine: number, flights: readonly Flight[], until: number): string {
  let lines = "";
  for (let index = partition + fromLine * partitionCount; index < until; index += partitionCount) {
    lines += `${JSON.stringify(flights[index])}\n`;
  }
  return lines;
}

/** How many flights depart before `hour`; they are in order of departure. */
function countBefore(hour: number, flights: readonly Flight[]): number {
  const index = flights.findIndex(({ time }) => time >= hour);
  return index === -1 ? flights.length : index;
}

/** Everything is there after one rename, or nothing. */
function layOut(flights: readonly Flight[]): void {
  const until = countBefore(firstUntilHour, flights);
  const draft = `${log}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  for (let partition = 0; partition < partitionCount; partition += 1) {
    writeFileSync(partitionPath(draft, partition), linesOf(partition, 0, flights, until));
  }
  renameSync(draft, log);
  const count = until.toLocaleString("en");
  print(`Laid out ${count} flights of one day, until ${clockTime(firstUntilHour)}: jobs/flights/data/flights/*.ndjson`);
}

/** Appends the flights until the next full hour. */
function append(flights: readonly Flight[]): void {
  const counts = Array.from({ length: partitionCount }, (_, partition) => lineCount(partitionPath(log, partition)));
  const next = flights[counts.reduce((sum, count) => sum + count, 0)];
  if (next === undefined) {
    print("The day is over: all of its flights are there.");
    return;
  }
  const untilHour = Math.floor(next.time) + 1;
  const until = countBefore(untilHour, flights);
  for (const [partition, count] of counts.entries()) {
    appendFileSync(partitionPath(log, partition), linesOf(partition, count, flights, until));
  }
  const added = until - counts.reduce((sum, count) => sum + count, 0);
  print(`${added.toLocaleString("en")} more flights have arrived, until ${clockTime(untilHour)}.`);
}

const { values } = parseArgs({ options: { more: { type: "boolean", default: false } } });
const isNew = !existsSync(log);
if (isNew || values.more) {
  const flights: Flight[] = JSON.parse(readFileSync(dataset, "utf8"));
  if (isNew) layOut(flights);
  if (values.more) append(flights);
}
