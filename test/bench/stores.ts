// An append on each store beside the calls of the bare client that it cannot do without, in turns within one run; then
// what recording takes of a batch of 10,000 records, from Kafka's JSON to a file. Stores whose server the environment
// does not name are left out, and said so. Usage: npm run bench -- stores [--only NAME,NAME] [--rounds N]
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { CheckpointStore, Entry, LogWriter, Position } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { measureOverhead } from "./batch-overhead.ts";
import type { RawAppend } from "./raw-append.ts";
import { print } from "./report.ts";
import { type Place, type StoreKind, storeKinds } from "./store-kinds.ts";

/** About what the completion of a batch of four partitions takes, with the next plan in it. */
const ENTRY_BYTES = 900;
const PARTITIONS = 4;
/** Before any is counted: connections, prepared code, tables. */
const WARM_UP = 50;
const { signal } = new AbortController();

const { values } = parseArgs({
  options: { only: { type: "string" }, rounds: { type: "string", default: "3" } },
  allowPositionals: true,
});
const dir = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
try {
  const kinds = chosenKinds();
  print(
    `An append of ${ENTRY_BYTES} bytes and ${PARTITIONS} positions, ms: the store's, and in turns the bare client's`,
  );
  for (const kind of kinds) {
    await compare(kind, placeOf(kind), { beside: kind.beside, shows: kind.showsApart === undefined });
    if (kind.showsApart !== undefined) await compare(kind, placeOf(kind), { beside: kind.showsApart, shows: true });
  }
  await measureOverhead(kinds, placeOf, Number(values.rounds));
} finally {
  rmSync(dir, { recursive: true, force: true });
}

function chosenKinds(): StoreKind[] {
  const only = values.only?.split(",");
  return storeKinds.filter(({ name, variable }) => {
    if (only !== undefined && !only.includes(name)) return false;
    if (variable === undefined || process.env[variable]) return true;
    print(`${name} is left out: ${variable} is not set (npm run servers -- start ${name}, then env)`);
    return false;
  });
}

function placeOf({ name, variable }: StoreKind): Place {
  const own = `bench_${randomBytes(4).toString("hex")}`;
  return { dir: join(dir, name, own), name: own, address: (variable && process.env[variable]) ?? "" };
}

interface Comparison {
  readonly beside: string;
  /** Positions are part of it. */
  readonly shows: boolean;
}

async function compare(kind: StoreKind, place: Place, { beside, shows }: Comparison): Promise<void> {
  await using store = await openStore(kind.url(place), { baseDir: dir });
  await using raw = await kind.raw(place);
  await using writer = await begun(store, place.name);
  const [own, bare]: [number[], number[]] = [[], []];
  const positionsOf = (seq: number) => (shows ? (raw.positionsAt?.(seq) ?? positionsAt(seq)) : []);
  for (let seq = 1; seq <= WARM_UP + kind.appends; seq++) {
    // Neither is always the first after the other's work.
    const positions = positionsOf(seq);
    const turns = [
      () => timed(own, () => appendTo(writer, seq, positions)),
      () => timed(bare, () => appendRaw(raw, seq, positions)),
    ];
    for (const turn of seq % 2 === 0 ? turns : turns.reverse()) await turn();
    if (seq === WARM_UP) own.length = bare.length = 0;
  }
  const [ownP50, bareP50] = [at(own, 0.5), at(bare, 0.5)];
  const ratio = ownP50 / bareP50;
  const most = kind.mostRatio === undefined ? "" : ratio <= kind.mostRatio ? " ok" : ` MORE THAN ${kind.mostRatio}`;
  const text = (p50: number, p99: number) => `p50 ${p50.toFixed(2)} p99 ${p99.toFixed(2)}`;
  print(
    `  ${kind.name.padEnd(9)} ${text(ownP50, at(own, 0.99))}   ${text(bareP50, at(bare, 0.99))} (${beside})` +
      `   ratio at p50 ${ratio.toFixed(2)}${most}`,
  );
}

async function begun(store: CheckpointStore, job: string): Promise<LogWriter> {
  return await store.takeOver(job, (head) => ({ seq: head + 1n, entry: entryOf(0) }), signal, "bench");
}

async function appendTo(writer: LogWriter, seq: number, positions: readonly Position[]): Promise<void> {
  const appended = await writer.append(BigInt(seq), entryOf(seq), positions, signal);
  if (appended.is !== "appended") throw new Error(`entry ${seq} was refused: ${appended.is}`);
}

/** Entry 0 begins the store's log; the bare one begins with what follows. */
async function appendRaw(raw: RawAppend, seq: number, positions: readonly Position[]): Promise<void> {
  await raw.append(seq - 1, Buffer.from(entryOf(seq).bytes), positions);
}

function entryOf(seq: number): Entry {
  return { token: randomBytes(16).toString("hex"), bytes: Buffer.alloc(ENTRY_BYTES, `${seq} `) };
}

/** All of them move with each batch. */
function positionsAt(seq: number): Position[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => ({
    topic: "payments",
    partition,
    offset: BigInt(seq) * 2_500n,
  }));
}

async function timed(into: number[], work: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await work();
  into.push(performance.now() - began);
}

function at(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}
