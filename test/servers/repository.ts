// Where servers' downloads, certificates, data and logs are: one folder in the repository, ignored by git, or another
// that the environment variable TIDEMARK_SERVERS names. Removing it while nothing runs is safe: all of it can be made
// again.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const serversRoot = resolve(
  process.env["TIDEMARK_SERVERS"] ?? fileURLToPath(new URL("../../.servers", import.meta.url)),
);
