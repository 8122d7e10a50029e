// The file store under processes that are killed, that overtake each other, that fill the disk; and the order of its
// system calls, which alone can show that it does not lose entries with the power (after a kill the page cache
// survives).
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { fileStore } from "../../checkpoints/file.ts";
import type { LogWriter, NumberedEntry } from "../../runtime/index.ts";
import { Appender } from "./appender.ts";
import { callsIn, type SystemCall } from "./system-calls.ts";

const { signal } = new AbortController();
const above = await mkdtemp(join(tmpdir(), "tidemark-file-store-crash-"));
afterAll(() => rm(above, { recursive: true, force: true }));

const KILLS = 15;
const TAKE_OVERS = 5;
const PROCESSES = 4;

it(`keeps a dense log with every acknowledged entry when its writer is killed ${KILLS} times`, async () => {
  const dir = join(above, "killed");
  const seed = Number(process.env["TEST_SEED"] ?? randomInt(2 ** 31));
  const random = randomOf(seed);
  const acknowledged = new Map<bigint, string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const appender = new Appender(dir);
    // A third of them while they take over, the others while they append.
    await appender.says(kill % 3 === 0 ? "starting" : "begun");
    await delay(random() * (kill % 3 === 0 ? 8 : 80));
    await appender.kill();
    for (const [seq, token] of appender.acknowledged) acknowledged.set(seq, token);
    const entries = await readAll(dir);
    const why = `TEST_SEED=${seed}, kill ${kill}`;
    expectDense(entries, why);
    expectKept(entries, acknowledged, why);
  }
  await using _writer = await takeOver(dir);
  expect((await readdir(join(dir, "job"))).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
}, 60_000);

it("hands over at exactly the last acknowledged entry when another process takes over at full speed", async () => {
  const dir = join(above, "overtaken");
  for (let round = 0; round < TAKE_OVERS; round++) {
    const appender = new Appender(dir);
    await appender.says("begun");
    await expect.poll(() => appender.acknowledged.size, { timeout: 10_000, interval: 1 }).toBeGreaterThan(20);
    const heads: bigint[] = [];
    await using writer = await takeOver(dir, (head) => heads.push(head));
    await appender.done();
    expect(appender.refused).toMatch(/^refused \d+ (behind|exists)$/);
    expect([...appender.acknowledged.keys()].at(-1)).toBe(heads.at(-1));
    const next = (heads.at(-1) ?? 0n) + 2n;
    expect((await writer.append(next, numbered(next).entry, [], signal)).is).toBe("appended");
    const entries = await readAll(dir);
    expectDense(entries, `round ${round}`);
    expectKept(entries, appender.acknowledged, `round ${round}`);
  }
}, 60_000);

it(`leaves one of ${PROCESSES} processes that overtake each other, and loses nothing of any`, async () => {
  const dir = join(above, "fighting");
  const appenders = Array.from({ length: PROCESSES }, () => new Appender(dir));
  await Promise.all(appenders.map((appender) => appender.says("begun")));
  const refused = () => appenders.filter((appender) => appender.refused !== undefined).length;
  await expect.poll(refused, { timeout: 20_000, interval: 5 }).toBe(PROCESSES - 1);
  await Promise.all(appenders.map((appender) => (appender.refused === undefined ? appender.kill() : appender.done())));
  const entries = await readAll(dir);
  expectDense(entries, "fighting");
  for (const appender of appenders) expectKept(entries, appender.acknowledged, "fighting");
}, 60_000);

it("says that the disk is full, keeps what it has, and goes on when there is space again", async (context) => {
  const dir = join(above, "full");
  await mkdir(dir);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", dir], { stdio: "pipe" });
  } catch (error) {
    context.skip(`a small tmpfs cannot be mounted here (needs root): ${String(error).split("\n")[1]}`);
  }
  try {
    await using writer = await takeOver(dir);
    const filler = Buffer.alloc(10_000, "x");
    let seq = 0n;
    let failed: unknown;
    while (failed === undefined && seq < 100n) {
      seq += 1n;
      await writer.append(seq, numbered(seq, filler).entry, [], signal).catch((error) => {
        failed = error;
      });
    }
    expect(failed).toMatchObject({ name: "TransientError", hint: expect.stringContaining("free some space") });
    const entries = await readAll(dir);
    expectDense(entries, "full");
    expect(entries.at(-1)?.seq).toBe(seq - 1n);
    await writer.prune(seq - 2n, signal);
    expect((await writer.append(seq, numbered(seq, filler).entry, [], signal)).is).toBe("appended");
  } finally {
    execFileSync("umount", [dir]);
  }
});

it("syncs an entry before it links it, and the folder before it acknowledges it", async (context) => {
  const calls = await traced(join(above, "traced"), context.skip);
  for (const seq of [1, 2, 3]) {
    const linked = find(calls, /^link/, new RegExp(`/log-\\w+/0{15}${seq}\\.entry"`));
    const [, temporary = "", entry = ""] = /"([^"]+)".*"([^"]+)"/.exec(linked.args) ?? [];
    const file = find(calls, /^f(data)?sync$/, new RegExp(`<${temporary}>`));
    const folder = calls.filter((call) => call.name === "fsync" && call.args.includes(`<${dirname(entry)}>`));
    const said = find(calls, /^write$/, new RegExp(`"appended ${seq} `));
    expect(file.ended).toBeLessThan(linked.began);
    expect(folder.some((call) => call.began > linked.ended && call.ended < said.began)).toBe(true);
  }
}, 30_000);

it("syncs the names and the entries that it takes over before it begins its term", async (context) => {
  const dir = join(above, "taken");
  const job = join(dir, "job");
  for (const [from, to, parent] of [
    [`${dir}/\\.new-\\w+`, job, dir],
    [`${job}/log-\\w+`, `${job}/log-\\w+`, job],
  ]) {
    const calls = await traced(dir, context.skip);
    const renamed = find(calls, /^rename/, new RegExp(`"${from}".*"${to}"`));
    const begun = find(calls, /^link/, /\.entry"/);
    const between = calls.filter(
      (call) => call.name === "fsync" && call.began > renamed.ended && call.ended < begun.began,
    );
    expect(between.some((call) => call.args.includes(`<${parent}>`))).toBe(true);
    expect(between.some((call) => /<.*\/log-\w+>/.test(call.args))).toBe(true);
  }
}, 30_000);

/** The system calls of an appender that appends three entries. */
async function traced(dir: string, skip: (why: string) => void): Promise<SystemCall[]> {
  const output = join(above, `strace-${randomBytes(4).toString("hex")}`);
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "pipe" });
  } catch (error) {
    skip(`strace does not run here (apt-get install strace): ${String(error).split("\n")[0]}`);
  }
  const kinds = "trace=link,linkat,rename,renameat,renameat2,fsync,fdatasync,write";
  await new Appender(dir, { count: 3, under: ["strace", "-f", "-y", "-s", "256", "-e", kinds, "-o", output] }).done();
  return callsIn(await readFile(output, "utf8"));
}

function find(calls: readonly SystemCall[], name: RegExp, args: RegExp): SystemCall {
  const found = calls.find((call) => name.test(call.name) && args.test(call.args));
  if (found === undefined)
    throw new Error(`no call ${name} of ${args} in:\n${calls.map((call) => call.args).join("\n")}`);
  return found;
}

async function readAll(dir: string): Promise<NumberedEntry[]> {
  await using store = fileStore({ dir });
  const entries: NumberedEntry[] = [];
  for await (const item of store.read("job", 0n, signal)) entries.push(item);
  return entries;
}

function expectDense(entries: readonly NumberedEntry[], why: string): void {
  const first = entries[0]?.seq ?? 0n;
  expect(
    entries.map(({ seq }) => seq),
    why,
  ).toEqual(entries.map((_, index) => first + BigInt(index)));
  for (const { seq, entry } of entries.slice(-5)) {
    expect(Buffer.from(entry.bytes).toString("latin1", 0, 20).split(":")[0], why).toBe(`${seq}`);
  }
}

/** What was acknowledged is there, but for what was pruned; the newest never is. */
function expectKept(entries: readonly NumberedEntry[], acknowledged: ReadonlyMap<bigint, string>, why: string): void {
  const [first, head] = [entries[0]?.seq ?? 0n, entries.at(-1)?.seq ?? -1n];
  expect(head >= ([...acknowledged.keys()].at(-1) ?? -1n), why).toBe(true);
  const tokens = new Map(entries.map(({ seq, entry }) => [seq, entry.token]));
  for (const [seq, token] of acknowledged)
    if (seq >= first) expect(tokens.get(seq), `${why}, entry ${seq}`).toBe(token);
}

async function takeOver(dir: string, watch: (head: bigint) => void = () => undefined): Promise<LogWriter> {
  const begin = (head: bigint) => {
    watch(head);
    return numbered(head + 1n);
  };
  return await fileStore({ dir }).takeOver("job", begin, signal);
}

function numbered(seq: bigint, filler = Buffer.alloc(0)): NumberedEntry {
  const bytes = Buffer.concat([Buffer.from(`${seq}:`), filler]);
  return { seq, entry: { token: randomBytes(16).toString("hex"), bytes } };
}

/** Numbers from 0 (inclusive) to 1 (exclusive), the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
