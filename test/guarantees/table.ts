// The table in docs/guarantees.md: a row for each sink with each store, a column for each point. The run that plays
// every cell writes it; every other run is held to what it says.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Cell, type Outcome, pointsOf } from "./cell.ts";
import { type Point, points } from "./points.ts";

const PAGE = fileURLToPath(new URL("../../docs/guarantees.md", import.meta.url));
const BEGIN = "<!-- table: GUARANTEES=write npm run test:nightly -- test/guarantees -->\n";
const END = "<!-- end of table -->\n";
/** Not a point of this route: rows and entry are one transaction there. */
const NONE = "–";
/** Not played yet. */
const UNKNOWN = "?";
const words: Readonly<Record<Outcome, string>> = { runs: "runs again", found: "found", next: "goes on" };

/** Tells a cell from all others. */
export function keyOf(sink: string, store: string, point: Point): string {
  return `Kafka → ${sink}, checkpoint in ${store}, killed ${point}`;
}

/** What the page says of each cell that it names. @throws Error a word in the table means nothing */
export function readTable(): ReadonlyMap<string, Outcome> {
  const [, table = ""] = parts(readFileSync(PAGE, "utf8"));
  const found = new Map<string, Outcome>();
  for (const line of table.trim().split("\n").slice(2)) {
    const [, sink = "", store = "", ...rest] = line.split("|").map((text) => text.trim());
    for (const [index, point] of points.entries()) {
      const word = rest[index] ?? "";
      if (word !== NONE && word !== UNKNOWN) found.set(keyOf(sink, store, point), outcomeOf(word));
    }
  }
  return found;
}

/** Puts what was found in each cell into the page. */
export function writeTable(cells: readonly Cell[], outcomes: ReadonlyMap<string, Outcome>): void {
  const routes = new Map(cells.map(({ sink, store }) => [`${sink.name} ${store.name}`, { sink, store }]));
  const lines = [...routes.values()].map(({ sink, store }) => {
    const row = points.map((point) => {
      if (!pointsOf({ sink, store }).includes(point)) return NONE;
      const outcome = outcomes.get(keyOf(sink.name, store.name, point));
      return outcome === undefined ? UNKNOWN : words[outcome];
    });
    return rowOf([sink.name, store.name, ...row]);
  });
  const head = [rowOf(["sink", "store", ...points]), `|${"---|".repeat(points.length + 2)}`];
  const [before, , after] = parts(readFileSync(PAGE, "utf8"));
  writeFileSync(PAGE, `${before}${BEGIN}${[...head, ...lines].join("\n")}\n${END}${after}`);
}

function rowOf(texts: readonly string[]): string {
  return `| ${texts.join(" | ")} |`;
}

function outcomeOf(word: string): Outcome {
  const outcome = (Object.keys(words) as Outcome[]).find((each) => words[each] === word);
  if (outcome === undefined) throw new Error(`docs/guarantees.md says "${word}" in its table`);
  return outcome;
}

/** What is before the table, the table, and what is after it. */
function parts(page: string): [before: string, table: string, after: string] {
  const [before = "", rest] = page.split(BEGIN);
  const [table = "", after] = (rest ?? "").split(END);
  if (after === undefined) throw new Error("docs/guarantees.md has lost the marks of its table");
  return [before, table, after];
}
