// A checkpoint that a real Spark made, in HDFS: it is read over WebHDFS as it is on this machine.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HdfsFileSystem, parseHdfsUrl } from "../../connectors/hdfs/client.ts";
import { hdfsFolder } from "../../connectors/hdfs/index.ts";
import { sparkCheckpoint } from "../../connectors/spark/index.ts";
import { savedPositionsPlace } from "../../runtime/cli/saved-positions-place.ts";
import { type TestFolder, testFolder } from "../hdfs/folder.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";

const fixtures = fileURLToPath(new URL("../fixtures/spark/", import.meta.url));
const signal = AbortSignal.timeout(300_000);

let hdfs: TestFolder;
beforeAll(async () => {
  hdfs = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => hdfs?.[Symbol.asyncDispose]());

/** Puts a fixture into HDFS. */
async function upload(name: string): Promise<string> {
  const url = hdfs.urlOf(name);
  await using files = new HdfsFileSystem(parseHdfsUrl(url), 30_000);
  const from = join(fixtures, name, "checkpoint");
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    await files.create(`${files.address.folder}/${path.slice(from.length + 1)}`, readFileSync(path), { signal });
  }
  return url;
}

it.each(["stopped-v2", "killed", "killed-in-first"])("the checkpoint “%s” says the same in HDFS", async (name) => {
  const url = await upload(name);
  const there = await savedPositionsPlace(`spark:${url}`);
  const here = sparkCheckpoint({ folder: join(fixtures, name, "checkpoint") });
  expect(await there.read(signal)).toEqual(await here.read(signal));
  expect(there.url).toBe(`spark:${url}`);
});

it("refuses a folder that is not there", async () => {
  const read = sparkCheckpoint({ folder: hdfsFolder(hdfs.urlOf("nothing")) }).read(signal);
  await expect(read).rejects.toThrow(/nothing.* is no Spark checkpoint: it is not there/);
});
