// In what order the file sink asks the system to make things durable. Killing a process cannot show it (the page cache
// survives), so the system calls of a real run are looked at.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { callsIn, type SystemCall } from "../crash/system-calls.ts";

const CONNECTOR = new URL("../../connectors/files/index.ts", import.meta.url).href;

/** Makes a folder two levels deep, writes one batch to it and says so. */
const PROGRAM = `
  import { fileSink } from ${JSON.stringify(CONNECTOR)};
  const { signal } = new AbortController();
  const sink = fileSink({ dir: process.argv[1] });
  const key = { jobName: "job", lineageId: "0123456789abcdef" };
  await using writer = await sink.open({ ...key, baseDir: "/", warn() {}, epoch: 1n }, signal);
  await using write = await writer.begin({ ...key, batchId: 0, planHash: "aa", ranges: [], signal });
  const encoder = sink.encoder();
  encoder.add("row");
  await write.write(encoder.take());
  await write.commit();
  process.stdout.write("committed");
`;

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "tidemark-durability-")));
});
afterEach(() => rm(root, { recursive: true }));

it("syncs a file before it gets its name, and the folder before the commit is over", async (context) => {
  const dir = join(root, "deep", "out");
  const output = join(root, "trace");
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "pipe" });
  } catch (error) {
    context.skip(`strace does not run here (apt-get install strace): ${String(error).split("\n")[0]}`);
  }
  const strace = ["-f", "-y", "-s", "256", "-e", "trace=rename,renameat,renameat2,fsync,fdatasync,write", "-o", output];
  const node = [process.execPath, "--input-type=module", "-e", PROGRAM, dir];
  execFileSync("strace", [...strace, ...node], { stdio: "pipe" });
  const calls = callsIn(await readFile(output, "utf8"));

  const find = (name: RegExp, text: string, after = -1): SystemCall => {
    const found = calls.find((call) => name.test(call.name) && call.args.includes(text) && call.began > after);
    if (found === undefined)
      throw new Error(`no call ${name} of ${text} in:\n${calls.map(({ args }) => args).join("\n")}`);
    return found;
  };
  const written = find(/^write$/, '"\\"row\\"\\n"');
  const renamed = find(/^rename/, `"${dir}/000000000-01234567-aa.ndjson"`);
  const said = find(/^write$/, '"committed"');
  const file = find(/^f(data)?sync$/, "000000000-01234567-aa.ndjson>", written.ended);
  const folder = find(/^fsync$/, `<${dir}>`, renamed.ended);
  expect(file.ended).toBeLessThan(renamed.began);
  expect(folder.ended).toBeLessThan(said.began);
  // The folders that were made got durable names before anything was written to them.
  for (const above of [root, join(root, "deep")])
    expect(find(/^fsync$/, `<${above}>`).ended).toBeLessThan(written.began);
});
