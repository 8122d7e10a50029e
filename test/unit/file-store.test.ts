// What is the file store's own: its files on the disk, damage to them, and the ways in which a folder can be unfit.
import { randomBytes } from "node:crypto";
import { copyFileSync, readdirSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileStore } from "../../checkpoints/file.ts";
import {
  CheckpointCorruptError,
  CheckpointMissingError,
  type CheckpointStore,
  type Entry,
  type LogWriter,
} from "../../runtime/index.ts";

const { signal } = new AbortController();

describe("the file store's files", () => {
  it("touches nothing until a job is taken over", async () => {
    await using place = await newPlace();
    expect(await place.store.jobs(signal)).toEqual([]);
    expect(await place.store.bounds("job", signal)).toBeUndefined();
    expect(await place.store.examine(signal)).toEqual([]);
    await expect(stat(place.dir)).rejects.toThrow("ENOENT");
  });

  it("resolves a relative folder against its base, and is called by the name it was given", async () => {
    await using place = await newPlace();
    await using store = fileStore({ dir: "checkpoint", baseDir: place.above });
    await using _writer = await takeOver(store);
    expect(store.url).toBe("file:checkpoint");
    expect(await place.store.jobs(signal)).toEqual(["job"]);
  });

  it("keeps its folders and files from other users, and itself out of git", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    await writer.beat({ epoch: 0n, beat: 1, atMs: 0, everyMs: 1, host: "h", pid: 1, stopped: false }, signal);
    const log = await place.log();
    for (const folder of [place.dir, place.job, log]) expect((await stat(folder)).mode & 0o777).toBe(0o700);
    for (const file of [entryPath(log, 0n), join(place.job, "heartbeat.json")]) {
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    }
    expect(await readFile(join(place.dir, ".gitignore"), "utf8")).toBe("*\n");
  });

  it("writes an entry as a line of ASCII with token, checksum and length, then the bytes", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    const token = "0123456789abcdef0123456789abcdef";
    await writer.append(1n, { token, bytes: Buffer.from("123456789") }, [], signal);
    // cbf43926 is the check value of CRC-32 for these nine digits.
    const expected = `tidemark-entry 1 ${token} cbf43926 9\n123456789`;
    expect(await readFile(entryPath(await place.log(), 1n), "latin1")).toBe(expected);
  });

  it("leaves no temporary file behind, and sweeps those of killed writers when it takes over", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    await writeFile(join(place.job, `.tmp-${"a".repeat(32)}`), "half an ent");
    const abandoned = join(place.dir, `.new-${"b".repeat(32)}`);
    const fresh = join(place.dir, `.new-${"c".repeat(32)}`);
    await Promise.all([mkdir(abandoned), mkdir(fresh)]);
    await utimes(abandoned, 0, 0);
    for (let seq = 1n; seq <= 5n; seq++) await writer.append(seq, entry("x"), [], signal);
    await using _next = await takeOver(place.store);
    await using _other = await takeOver(place.store, "other");
    await expect.poll(async () => (await readdir(place.job)).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
    // Another process may be making a job at this moment.
    expect((await readdir(place.dir)).filter((name) => name.startsWith(".new-"))).toEqual([`.new-${"c".repeat(32)}`]);
  });

  it("takes the place of an empty folder, and of nothing else that has the job's name", async () => {
    await using place = await newPlace();
    await mkdir(place.job, { recursive: true });
    await using _writer = await takeOver(place.store);
    await mkdir(join(place.dir, "strange"));
    await writeFile(join(place.dir, "strange", "notes.txt"), "mine");
    await expect(takeOver(place.store, "strange")).rejects.toThrow(CheckpointCorruptError);
    expect(await place.store.jobs(signal)).toEqual(["job", "strange"]);
  });

  it("does not choose between two logs of one job", async () => {
    await using place = await newPlace();
    await using _writer = await takeOver(place.store);
    await mkdir(join(place.job, `log-${"d".repeat(32)}`));
    await expect(takeOver(place.store)).rejects.toThrow(/must have one log folder and has log-/);
    await expect(place.store.bounds("job", signal)).rejects.toThrow(CheckpointCorruptError);
  });

  it("says that the checkpoint is gone when somebody removes it under a running job", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    await rm(place.dir, { recursive: true });
    await expect(writer.append(1n, entry("x"), [], signal)).rejects.toThrow(CheckpointMissingError);
  });

  it("has no heartbeat where the file holds anything else", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    const beat = {
      epoch: 3n,
      beat: 1,
      atMs: 0,
      everyMs: 1,
      host: "h",
      pid: 1,
      processStart: undefined,
      stopped: false,
    };
    for (const garbage of ["", "{", "null", "[]", '{"epoch":3}', `{"epoch":"3"${" ".repeat(5000)}}`]) {
      await writeFile(join(place.job, "heartbeat.json"), garbage);
      expect(await place.store.heartbeat("job", signal)).toBeUndefined();
    }
    await writer.beat(beat, signal);
    expect(await place.store.heartbeat("job", signal)).toEqual(beat);
  });
});

describe("an entry that slipped in while the log was being taken over", () => {
  // The kernel looks a folder up before it links into it, so that a link can land after the rename. A symbolic link
  // from the old name to the new makes every link land so.
  async function slipIn(place: Place): Promise<{ stale: LogWriter; close: () => Promise<void> }> {
    const stale = await takeOver(place.store);
    const old = await place.log();
    const newer = await takeOver(place.store);
    await symlink(await place.log(), old);
    await newer[Symbol.asyncDispose]();
    return { stale, close: async () => await stale[Symbol.asyncDispose]() };
  }

  it("counts where the newer writer has to number after it", async () => {
    await using place = await newPlace();
    const { stale, close } = await slipIn(place);
    // As if its own term's entry were not there yet.
    await rm(entryPath(await place.log(), 1n));
    const mine = entry("slipped in");
    expect(await stale.append(1n, mine, [], signal)).toEqual({ is: "exists", entry: mine });
    await using _next = await takeOver(place.store);
    expect(await place.store.bounds("job", signal)).toEqual({ first: 0n, head: 2n });
    await close();
  });

  it("is taken away again where entries were pruned, and the writer is refused", async () => {
    await using place = await newPlace();
    const { stale, close } = await slipIn(place);
    const log = await place.log();
    for (const seq of [7n, 8n]) await copyFile(entryPath(log, 1n), entryPath(log, seq));
    for (const seq of [0n, 1n]) await rm(entryPath(log, seq));
    expect(await stale.append(1n, entry("slipped in"), [], signal)).toEqual({ is: "behind", head: 8n });
    expect(await place.store.bounds("job", signal)).toEqual({ first: 7n, head: 8n });
    await close();
  });

  it("makes the newer writer begin after it", async () => {
    await using place = await newPlace();
    await using _first = await takeOver(place.store);
    const heads: bigint[] = [];
    await using _second = await place.store.takeOver(
      "job",
      (head) => {
        heads.push(head);
        // Slips in between the listing and the entry that begins the term; only at the first attempt.
        if (heads.length === 1) slipFile(place, head + 1n);
        return { seq: head + 1n, entry: entry("begin") };
      },
      signal,
    );
    expect(heads).toEqual([0n, 1n]);
    expect(await place.store.bounds("job", signal)).toEqual({ first: 0n, head: 2n });
  });
});

describe("a damaged entry", () => {
  const damages: [string, (path: string) => Promise<void>, RegExp][] = [
    ["is cut short", (path) => truncate(path, 70), /it has \d+ bytes instead of 11/],
    ["is cut short in its first line", (path) => truncate(path, 30), /its first line is damaged/],
    ["is empty", (path) => truncate(path, 0), /does not begin like an entry/],
    [
      "has a changed byte",
      (path) => change(path, (text) => text.replace("hello", "jello")),
      /its checksum does not fit/,
    ],
    ["has more bytes than it says", (path) => change(path, (text) => `${text}!`), /it has 12 bytes instead of 11/],
    ["is something else", (path) => writeFile(path, randomBytes(200)), /does not begin like an entry/],
  ];

  it.each(damages)(
    "that %s is an error that names the file, after the sound ones before it",
    async (_, damage, reason) => {
      await using place = await newPlace();
      await using writer = await takeOver(place.store);
      for (const seq of [1n, 2n, 3n]) await writer.append(seq, entry("hello world"), [], signal);
      const path = entryPath(await place.log(), 2n);
      await damage(path);
      const { seqs, error } = await readUntilError(place.store);
      expect(seqs).toEqual([0n, 1n]);
      expect(error).toBeInstanceOf(CheckpointCorruptError);
      expect(error).toMatchObject({ code: "CHECKPOINT_CORRUPT", hint: expect.stringContaining("runtime doctor") });
      expect(String(error)).toContain(path);
      expect(String(error)).toMatch(reason);
      await expect(writer.append(2n, entry("hello world"), [], signal)).rejects.toThrow(CheckpointCorruptError);
      expect((await writer.append(4n, entry("more"), [], signal)).is).toBe("appended");
    },
  );

  it("of a future format says to upgrade", async () => {
    await using place = await newPlace();
    await using _writer = await takeOver(place.store);
    await writeFile(entryPath(await place.log(), 0n), "tidemark-entry 2 other things\n");
    const { error } = await readUntilError(place.store);
    expect(error).toMatchObject({
      code: "FUTURE_FORMAT",
      hint: expect.stringContaining("npm install tidemark@latest"),
    });
  });

  it("is refused by its size before it is read", async () => {
    await using place = await newPlace();
    await using _writer = await takeOver(place.store);
    await truncate(entryPath(await place.log(), 0n), 10 * 1024 ** 3);
    expect(String((await readUntilError(place.store)).error)).toContain("too many for an entry");
  });

  it("that is missing is left out, so that the hole is seen", async () => {
    await using place = await newPlace();
    await using writer = await takeOver(place.store);
    for (const seq of [1n, 2n, 3n]) await writer.append(seq, entry("x"), [], signal);
    await rm(entryPath(await place.log(), 2n));
    expect(await readUntilError(place.store)).toEqual({ seqs: [0n, 1n, 3n], error: undefined });
  });
});

describe("what doctor is told about the folder", () => {
  it("is nothing when all is well", async () => {
    await using place = await newPlace();
    await using _writer = await takeOver(place.store);
    expect(await place.store.examine(signal)).toEqual([]);
    expect((await readdir(place.dir)).sort()).toEqual([".gitignore", "job"]);
  });

  it("names permissions that are too wide and what a crash left behind", async () => {
    await using place = await newPlace();
    await using _writer = await takeOver(place.store);
    await chmod(place.job, 0o755);
    const left = join(place.job, `.tmp-${"a".repeat(32)}`);
    await writeFile(left, "");
    await utimes(left, 0, 0);
    expect(await place.store.examine(signal)).toEqual([
      `${place.job} is open to other users (0755): chmod 700 ${place.job}`,
      `${place.job} has 1 file(s) .tmp-* left by a crash: they may be removed`,
    ]);
  });

  it("says that a file is where the folder should be", async () => {
    await using place = await newPlace();
    await writeFile(place.dir, "");
    expect((await place.store.examine(signal)).join()).toContain(`${place.dir} is not a folder`);
    await expect(takeOver(place.store)).rejects.toMatchObject({ code: "TRANSIENT" });
  });
});

interface Place extends AsyncDisposable {
  readonly above: string;
  /** The store's folder, not there yet. */
  readonly dir: string;
  readonly job: string;
  readonly store: CheckpointStore;
  /** The one log folder of the job. */
  log(): Promise<string>;
}

async function newPlace(): Promise<Place> {
  const above = await mkdtemp(join(tmpdir(), "tidemark-file-store-"));
  const dir = join(above, "checkpoint");
  const job = join(dir, "job");
  return {
    above,
    dir,
    job,
    store: fileStore({ dir }),
    log: async () => {
      const there = await readdir(job, { withFileTypes: true });
      const log = there.find((item) => item.isDirectory() && item.name.startsWith("log-"));
      return join(job, log?.name ?? "no log");
    },
    [Symbol.asyncDispose]: async () => await rm(above, { recursive: true, force: true }),
  };
}

async function takeOver(store: CheckpointStore, jobName = "job"): Promise<LogWriter> {
  return await store.takeOver(jobName, (head) => ({ seq: head + 1n, entry: entry("begin") }), signal);
}

function entry(text: string): Entry {
  return { token: randomBytes(16).toString("hex"), bytes: new TextEncoder().encode(text) };
}

function entryPath(log: string, seq: bigint): string {
  return join(log, `${seq.toString().padStart(16, "0")}.entry`);
}

/** Puts an entry of an older writer's into the log, between two steps of a take-over. */
function slipFile({ job }: Place, seq: bigint): void {
  const log = join(job, readdirSync(job).find((name) => name.startsWith("log-")) ?? "no log");
  copyFileSync(entryPath(log, seq - 1n), entryPath(log, seq));
}

async function change(path: string, how: (text: string) => string): Promise<void> {
  await writeFile(path, how(await readFile(path, "latin1")), "latin1");
}

async function readUntilError(store: CheckpointStore): Promise<{ seqs: bigint[]; error: unknown }> {
  const seqs: bigint[] = [];
  try {
    for await (const { seq } of store.read("job", 0n, signal)) seqs.push(seq);
    return { seqs, error: undefined };
  } catch (error) {
    return { seqs, error };
  }
}
