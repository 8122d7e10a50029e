// Run by files.ts: the same work by hand, without planning, recording or RxJS: what the runtime is measured against.
import { closeSync, fsyncSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const [dir = "", records = "0"] = process.argv.slice(2);
const began = performance.now();
const out = openSync(join(dir, "bare"), "w");
let read = 0;
let text = "";
for (let partition = 0; partition < 4; partition++) {
  const file = openSync(join(dir, "in", `${partition}.ndjson`), "r");
  const buffer = Buffer.allocUnsafe(1 << 18);
  for (let kept = 0; ; ) {
    const count = readSync(file, buffer, kept, buffer.length - kept, null);
    if (count === 0) break;
    const end = kept + count;
    let from = 0;
    for (let at = buffer.indexOf(10, from); at !== -1 && at < end; at = buffer.indexOf(10, from)) {
      const value = JSON.parse(buffer.toString("utf8", from, at)) as { id: number; user: string; amount: number };
      read++;
      if (value.amount > 50) text += `${JSON.stringify({ id: value.id, user: value.user, amount: value.amount })}\n`;
      from = at + 1;
    }
    buffer.copy(buffer, 0, from, end);
    kept = end - from;
    writeSync(out, text);
    text = "";
  }
  closeSync(file);
}
fsyncSync(out);
closeSync(out);
const seconds = (performance.now() - began) / 1000;
if (read !== Number(records)) throw new Error(`${read} records instead of ${records}`);
rmSync(join(dir, "bare"));
process.stdout.write(JSON.stringify({ records: read, seconds, peakMb: process.resourceUsage().maxRSS / 1024 }));
