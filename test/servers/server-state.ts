// What is remembered of one server between commands, as state.json in its folder: ports and password, which stay the
// same for as long as the folder does, and the processes that were started. It is changed by who holds the folder's
// lock only, whole and in one step; anybody may read it.
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessIdentity } from "./processes.ts";

export interface StartedProcess extends ProcessIdentity {
  readonly name: string;
  readonly stopSignal: "SIGTERM" | "SIGINT";
}

export interface ServerState<Addresses extends object = object> {
  readonly ports: Readonly<Record<string, number>>;
  readonly password: string;
  readonly addresses: Addresses;
  /** In the order of their start; empty when it was stopped. */
  readonly processes: readonly StartedProcess[];
}

function fileIn(folder: string): string {
  return join(folder, "state.json");
}

/** What is known about the server in `folder`; undefined when it was never started there. */
export function readState<Addresses extends object>(folder: string): ServerState<Addresses> | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(folder), "utf8"));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** Replaces the state. It holds a password, so only its owner can read it. */
export async function writeState(folder: string, state: ServerState): Promise<void> {
  const unfinished = `${fileIn(folder)}.unfinished`;
  await writeFile(unfinished, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(unfinished, fileIn(folder));
}
