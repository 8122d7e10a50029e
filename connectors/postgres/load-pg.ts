// Loads the driver when the first connection needs it: only jobs that use Postgres have it installed.
import { ConfigError } from "../../runtime/index.ts";

/** The package `pg`. @throws ConfigError it is not installed */
export async function loadPg(): Promise<typeof import("pg")> {
  try {
    return await import("pg");
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw cause;
    throw new ConfigError("Postgres needs the package pg, which is not installed", { hint: "npm install pg", cause });
  }
}
