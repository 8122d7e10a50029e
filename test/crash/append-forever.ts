// A program for the crash tests of the file store: takes a job over and appends as fast as it can until it is refused,
// killed or done. It says on stdout, one line each and before it goes on, what the store has acknowledged. Usage: node
// append-forever.ts DIR [COUNT]
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { fileStore } from "../../checkpoints/file.ts";
import type { NumberedEntry } from "../../runtime/index.ts";

const KEPT = 50n;
const BYTES_MAX = 20_000n;

const [, , dir = "", count = "1000000000"] = process.argv;
const { signal } = new AbortController();

writeSync(1, "starting\n");
let last = -1n;
await using store = fileStore({ dir });
await using writer = await store.takeOver("job", (head) => numbered(head + 1n), signal);
writeSync(1, `begun ${last}\n`);

for (let left = Number(count); left > 0; left--) {
  const { seq, entry } = numbered(last + 1n);
  const answer = await writer.append(seq, entry, [], signal);
  if (answer.is !== "appended" && !(answer.is === "exists" && answer.entry.token === entry.token)) {
    writeSync(1, `refused ${seq} ${answer.is}\n`);
    break;
  }
  writeSync(1, `appended ${seq} ${entry.token}\n`);
  if (seq % 20n === 0n) await writer.prune(seq - KEPT, signal);
}

/** Entries of all sizes, each beginning with its number. */
function numbered(seq: bigint): NumberedEntry {
  last = seq;
  const bytes = Buffer.alloc(20 + Number((seq * 7919n) % BYTES_MAX), "x");
  bytes.write(`${seq}:`);
  return { seq, entry: { token: randomBytes(16).toString("hex"), bytes } };
}
