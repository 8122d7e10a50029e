// Where the machine's Postgres is, and as whom it runs: it refuses root. When it is missing and can be installed
// without asking (root, Debian), it is; otherwise the error says what to type.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { ConfigError } from "../../../runtime/errors.ts";
import { mustRun, type RunAs } from "../run-program.ts";
import type { Say } from "../say.ts";

/** All from one folder: their versions must be the same. */
const programs = ["postgres", "initdb", "pg_isready", "psql"];
const debianFolder = "/usr/lib/postgresql";
const install = ["install", "-y", "--no-install-recommends", "postgresql"];
const installHint = "apt-get install postgresql (Debian, Ubuntu), or: brew install postgresql (macOS)";

/** Folders with programs: those of PATH, then Debian's, which are not in PATH, the newest version first. */
async function programFolders(): Promise<string[]> {
  const versions = existsSync(debianFolder) ? await readdir(debianFolder) : [];
  const newestFirst = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debianFolder, version, "bin"));
  return [...(process.env["PATH"] ?? "").split(delimiter), ...newestFirst];
}

async function look(): Promise<string | undefined> {
  return (await programFolders()).find((folder) => programs.every((name) => existsSync(join(folder, name))));
}

/**
 * The folder of Postgres' programs.
 * @throws ConfigError it is not installed
 */
export async function findPostgres(say: Say, signal: AbortSignal): Promise<string> {
  const found = await look();
  if (found !== undefined) return found;
  const isRoot = process.getuid?.() === 0;
  if (isRoot && existsSync("/usr/bin/apt-get")) {
    say("Installing Debian's package postgresql …");
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    await mustRun("apt-get", ["update"], { installHint, signal, env });
    await mustRun("apt-get", install, { installHint, signal, env });
    const installed = await look();
    if (installed !== undefined) return installed;
  }
  throw new ConfigError("Postgres is not installed", { hint: installHint });
}

/**
 * Who Postgres runs as: undefined for whoever asks, or for root the user `postgres`, or `nobody` if there is none.
 * @throws ConfigError neither exists
 */
export async function postgresUser(): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const wanted of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new ConfigError("Postgres does not run as root, and there is no user `postgres`", {
    hint: "useradd --system postgres",
  });
}
