// A Python environment with pyspark of a pinned version, made once among the servers' downloads.
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { lockFolder } from "../../../servers/folder-lock.ts";
import { mustRun } from "../../../servers/run-program.ts";
import type { Tools } from "../../workloads/contestant.ts";

const version = "4.2.0";
const installHint = "apt-get install python3 python3-venv (Debian, Ubuntu), or: brew install python";

/**
 * The path of a Python that has pyspark.
 * @throws ConfigError Python is missing
 */
export async function pythonWithSpark({ root, say, signal }: Tools): Promise<string> {
  const folder = join(root, "downloads", `pyspark-${version}`);
  const python = join(folder, "bin", "python");
  if (existsSync(python)) return python;
  await using _lock = await lockFolder(folder, say, signal);
  if (existsSync(python)) return python;
  say(`Installing pyspark ${version} (about 500 MB) …`);
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mustRun("python3", ["-m", "venv", unfinished], { installHint, signal });
  const pip = ["-m", "pip", "install", "--quiet", `pyspark==${version}`];
  await mustRun(join(unfinished, "bin", "python"), pip, { installHint, signal });
  await rename(unfinished, folder);
  return python;
}
