// `json({ … })` beside JSON.parse and a projection by hand, over documents of several shapes: CPU nanoseconds a
// document, in turns. Each shape runs in a process of its own, because the engine fits the code to what it has seen.
// Usage: npm run bench -- json [--shape NAME]… [--rounds N] [--against DIR]; DIR is another work tree to compare with.
import { execFileSync } from "node:child_process";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type JsonFields, json } from "../../runtime/index.ts";
import { print, spread, text } from "./report.ts";

const DOCUMENTS = 20_000;
const PASSES = 8;

type Read = (buffer: Buffer, start: number, end: number) => unknown;

interface Shape {
  readonly fields: JsonFields;
  readonly document: (id: number) => string;
  /** What a person would write without us. */
  readonly project: (parsed: ReturnType<typeof JSON.parse>) => unknown;
}

const WANTED = { id: "number", user: "string", amount: "number" } as const;
const pick = ({ id, user, amount }: Record<string, unknown>) => ({ id, user, amount });

const shapes: Record<string, Shape> = {
  "3 of 7 fields": { fields: WANTED, document: (id) => JSON.stringify(payment(id)), project: pick },
  "all 7 fields": {
    fields: { ...WANTED, ts: "number", status: "string", item: "string", q: "number" },
    document: (id) => JSON.stringify(payment(id)),
    project: ({ id, user, amount, ts, status, item, q }) => ({ id, user, amount, ts, status, item, q }),
  },
  "1 field, the last": {
    fields: { q: "number" },
    document: (id) => JSON.stringify(payment(id)),
    project: ({ q }) => ({ q }),
  },
  nested: {
    fields: { id: "number", "address.city": "string?", "address.geo.lat": "number?" },
    document: (id) =>
      JSON.stringify({
        ...payment(id),
        address: { street: `Street ${id % 97}`, city: `city-${id % 500}`, geo: { lat: id / 7, lon: 8.5 } },
        tags: ["a", "b", { c: id }],
      }),
    project: ({ id, address }) => ({ id, address: { city: address.city, geo: { lat: address.geo.lat } } }),
  },
  "long strings": {
    fields: { ...WANTED, note: "string" },
    document: (id) => JSON.stringify({ ...payment(id), note: `note ${id} `.repeat(20), other: "skipped ".repeat(40) }),
    project: ({ id, user, amount, note }) => ({ id, user, amount, note }),
  },
  "long text, not ASCII": {
    fields: { ...WANTED, note: "string" },
    document: (id) => JSON.stringify({ ...payment(id), note: `日本語 ${id} `.repeat(20), other: "äöü ".repeat(20) }),
    project: ({ id, user, amount, note }) => ({ id, user, amount, note }),
  },
  "some letters not ASCII": {
    fields: { ...WANTED, city: "string" },
    document: (id) =>
      JSON.stringify({ ...payment(id), user: `Jürg ${id % 1000}`, city: "Zürich", country: "Österreich" }),
    project: ({ id, user, amount, city }) => ({ id, user, amount, city }),
  },
  escapes: {
    fields: WANTED,
    document: (id) => JSON.stringify({ ...payment(id), user: `"u"\n${id}`, status: "a\\b" }),
    project: pick,
  },
  "pretty-printed": { fields: WANTED, document: (id) => JSON.stringify(payment(id), null, 2), project: pick },
  "another order each": {
    fields: WANTED,
    document: (id) => {
      const entries = Object.entries(payment(id));
      const at = (id * 7919) % entries.length;
      return JSON.stringify(Object.fromEntries([...entries.slice(at), ...entries.slice(0, at).reverse()]));
    },
    project: pick,
  },
  "fields missing at random": {
    fields: { id: "number", user: "string?", amount: "number?" },
    document: (id) =>
      JSON.stringify(Object.fromEntries(Object.entries(payment(id)).filter((_, at) => at === 0 || (id >> at) % 3 > 0))),
    project: ({ id, user, amount }) => ({ id, user: user ?? null, amount: amount ?? null }),
  },
  "other keys in each": {
    fields: WANTED,
    document: (id) => JSON.stringify({ ...payment(id), [`k${id}`]: 1, [`other-${id * 31}`]: "x" }),
    project: pick,
  },
  "long numbers": {
    fields: { ...WANTED, ratio: "number" },
    document: (id) => JSON.stringify({ ...payment(id), ratio: Math.sqrt(id + 2), small: 1e-9 * id }),
    project: ({ id, user, amount, ratio }) => ({ id, user, amount, ratio }),
  },
};

function payment(id: number) {
  const amount = ((id * 31) % 100_000) / 100;
  const user = `u${(id * 7919) % 100_000}`;
  const ids = 3_000_000 + id;
  return { id: ids, user, amount, ts: 1_700_000_000_000 + id, status: "new", item: `sku-${id % 10_000}`, q: id % 7 };
}

const { values } = parseArgs({
  options: {
    shape: { type: "string", multiple: true },
    rounds: { type: "string", default: "5" },
    against: { type: "string" },
    alone: { type: "boolean", default: false },
  },
  allowPositionals: true,
});

if (values.alone) await measure(values.shape?.[0] ?? "");
else {
  print(`CPU ns a document, median of ${values.rounds} [min–max]`);
  for (const shape of values.shape ?? Object.keys(shapes)) {
    const args = [fileURLToPath(import.meta.url), "--alone", "--shape", shape, "--rounds", values.rounds];
    if (values.against !== undefined) args.push("--against", values.against);
    process.stdout.write(execFileSync(process.execPath, args, { encoding: "utf8", timeout: 300_000 }));
  }
}

async function measure(name: string): Promise<void> {
  const shape = shapes[name];
  if (shape === undefined) throw new Error(`no shape "${name}": ${Object.keys(shapes).join(", ")}`);
  const programs = new Map<string, Read>([
    ["json({…})", slicesOf(json, shape.fields)],
    ["JSON.parse", (buffer, start, end) => shape.project(JSON.parse(buffer.toString("utf8", start, end)))],
  ]);
  if (values.against !== undefined) {
    const other = await import(pathToFileURL(join(resolve(values.against), "runtime/index.ts")).href);
    programs.set("against", slicesOf(other.json, shape.fields));
  }
  const documents = Array.from({ length: DOCUMENTS }, (_, id) => Buffer.from(shape.document(id)));
  const buffer = Buffer.concat(documents);
  const lengths = documents.map((document) => document.length);
  checkSame(programs, buffer, lengths);
  const found = new Map<string, number[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [program, read] of programs) {
      found.set(program, [...(found.get(program) ?? []), time(read, buffer, lengths)]);
    }
  }
  const columns = [...found].map(([program, times]) => `${program} ${text(spread(times))}`.padEnd(28));
  const ours = spread(found.get("json({…})") ?? []).median;
  const ratio = spread(found.get("JSON.parse") ?? []).median / ours;
  const bytes = (buffer.length / DOCUMENTS).toFixed(0);
  print(`${name.padEnd(25)} ${bytes.padStart(4)} B  ${columns.join("")} × ${ratio.toFixed(1)}`);
}

function slicesOf(make: typeof json, fields: JsonFields): Read {
  const deserializer = make(fields) as { deserializeSlice?: Read };
  if (deserializer.deserializeSlice === undefined) throw new Error("it reads no slices");
  return deserializer.deserializeSlice;
}

function checkSame(programs: ReadonlyMap<string, Read>, buffer: Buffer, lengths: readonly number[]): void {
  const sums = [...programs.values()].map((read) => {
    let at = 0;
    const read1000 = lengths.slice(0, 1000).map((length) => {
      at += length;
      return read(buffer, at - length, at);
    });
    return JSON.stringify(read1000);
  });
  if (new Set(sums).size > 1) throw new Error("the programs give different values");
}

/** CPU ns of this process a document, collection of garbage included. */
function time(read: Read, buffer: Buffer, lengths: readonly number[]): number {
  const began = process.cpuUsage();
  for (let pass = 0; pass < PASSES; pass++) {
    let at = 0;
    const kept: unknown[] = [];
    for (const length of lengths) {
      kept.push(read(buffer, at, at + length));
      at += length;
    }
  }
  const { user, system } = process.cpuUsage(began);
  return ((user + system) * 1000) / (PASSES * lengths.length);
}
