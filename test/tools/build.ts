// Builds the package's files, dist/, from nothing: plain JavaScript with type declarations beside it.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleKafkaLibrary } from "./bundle-kafka-library.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
const tsc = spawnSync("tsc", ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (tsc.error) throw tsc.error;
process.exitCode = tsc.status ?? 1;
if (tsc.status === 0) {
  const library = `${root}dist/connectors/kafka/library.js`;
  await bundleKafkaLibrary({ input: library, file: library, licenses: `${root}dist/THIRD-PARTY-LICENSES.txt` });
}
