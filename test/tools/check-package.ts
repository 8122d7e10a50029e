// Packs the package as it would be published and looks at the tarball: do all entry points exist (publint), and does
// TypeScript find the right types for each (attw)? Packing builds it first.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** @throws when the command fails; what it prints goes on to our own output */
function run(file: string, ...args: string[]): string {
  const result = spawnSync(file, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  process.stdout.write(`${result.stdout}${result.stderr}`);
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${file} exited with ${result.status}`);
  return result.stdout;
}

const folder = mkdtempSync(join(tmpdir(), "tidemark-pack-"));
try {
  run("npm", "pack", "--loglevel=error", "--pack-destination", folder);
  const { name, version } = JSON.parse(run("npm", "pkg", "get", "name", "version"));
  const tarball = join(folder, `${name}-${version}.tgz`);
  run("publint", "run", tarball, "--strict");
  run("attw", tarball, "--profile", "esm-only", "--no-definitely-typed");
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
