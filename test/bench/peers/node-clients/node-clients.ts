// Other clients of Node: @platformatic/kafka, which this project uses below its public surface, and kafkajs, which is
// installed on demand beside the servers' downloads.
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lockFolder } from "../../../servers/folder-lock.ts";
import { mustRun } from "../../../servers/run-program.ts";
import type { Contestant, Tools } from "../../workloads/contestant.ts";

const KAFKAJS = "kafkajs@2.2.4";
const programOf = (name: string) => fileURLToPath(new URL(`${name}-program.ts`, import.meta.url));

/** @platformatic/kafka's stream, for W0. */
export const platformatic: Contestant = {
  name: "platformatic",
  label: "@platformatic/kafka, stream",
  side: "peer",
  prepare: async () => {
    return ({ brokers, topic, records, name }) => ({
      file: process.execPath,
      args: [programOf("platformatic"), brokers, topic, `${records}`, name],
    });
  },
};

/** kafkajs' eachBatch, for W0. */
export const kafkajs: Contestant = {
  name: "kafkajs",
  label: "kafkajs, eachBatch",
  side: "peer",
  async prepare(tools) {
    const folder = await installed(KAFKAJS, tools);
    return ({ brokers, topic, records, name }) => ({
      file: process.execPath,
      args: [programOf("kafkajs"), brokers, topic, `${records}`, name, folder],
    });
  },
};

/** A folder whose node_modules holds the package, which is no dependency of this project. */
async function installed(wanted: string, { root, say, signal }: Tools): Promise<string> {
  const folder = join(root, "downloads", wanted);
  if (existsSync(folder)) return folder;
  await using _lock = await lockFolder(folder, say, signal);
  if (existsSync(folder)) return folder;
  say(`Installing ${wanted} …`);
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await writeFile(join(unfinished, "package.json"), '{ "private": true }\n');
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", unfinished, wanted];
  await mustRun("npm", args, { installHint: "https://nodejs.org", signal });
  await rename(unfinished, folder);
  return folder;
}
