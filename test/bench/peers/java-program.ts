// A peer's Java program: its jars by the pom.xml beside it, its one source file compiled by the machine's javac into a
// folder that is named for what it is made of.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { basename, delimiter, join } from "node:path";
import { javaDefaults, requireJava } from "../../servers/java.ts";
import { jarsOf } from "../../servers/maven.ts";
import { mustRun } from "../../servers/run-program.ts";
import type { Tools } from "../workloads/contestant.ts";

const installHint = "apt-get install default-jdk-headless maven (Debian, Ubuntu), or: brew install openjdk maven";

export interface JavaSource {
  /** Absolute. */
  readonly pom: string;
  /** Absolute; its class has the file's name. */
  readonly source: string;
}

/**
 * What follows `java` to run the program, but for its own arguments.
 * @throws ConfigError Java, its compiler or Maven is missing
 */
export async function javaProgram({ pom, source }: JavaSource, { root, say, signal }: Tools): Promise<string[]> {
  await requireJava(signal);
  const jars = await jarsOf(pom, root, say, signal);
  const hash = createHash("sha256")
    .update(await readFile(source))
    .update(jars)
    .digest("hex")
    .slice(0, 12);
  const name = basename(source, ".java");
  const classes = join(root, "downloads", `classes-${name.toLowerCase()}-${hash}`);
  if (!existsSync(classes)) {
    say(`Compiling ${name}.java …`);
    const unfinished = `${classes}.unfinished-${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    await mustRun("javac", ["-nowarn", "-d", unfinished, "-cp", jars, source], { installHint, signal });
    await rm(classes, { recursive: true, force: true });
    await rename(unfinished, classes);
  }
  return [...javaDefaults, "-cp", [classes, jars].join(delimiter), name];
}
