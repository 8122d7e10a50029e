// Jars from Maven Central by a pom.xml: copied once into a folder that is named for the pom's hash, so that a changed
// pom gets a folder of its own and every server and test shares the rest.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { lockFolder } from "./folder-lock.ts";
import { javaInstallHint } from "./java.ts";
import { mustRun } from "./run-program.ts";
import type { Say } from "./say.ts";

/**
 * The class path of the pom's runtime dependencies, which are downloaded if they are not there. `root` is `.servers`.
 * @throws ConfigError Maven is not installed
 */
export async function jarsOf(pom: string, root: string, say: Say, signal: AbortSignal): Promise<string> {
  const name = basename(dirname(pom));
  const hash = createHash("sha256")
    .update(await readFile(pom))
    .digest("hex")
    .slice(0, 12);
  const folder = join(root, "downloads", `${name}-${hash}`);
  if (existsSync(folder)) return join(folder, "*");
  await using _lock = await lockFolder(folder, say, signal);
  if (!existsSync(folder)) {
    say(`Downloading the jars of ${name} …`);
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    const args = ["-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime"];
    await mustRun("mvn", [...args, `-DoutputDirectory=${unfinished}`], { installHint: javaInstallHint, signal });
    await rename(unfinished, folder);
  }
  return join(folder, "*");
}
