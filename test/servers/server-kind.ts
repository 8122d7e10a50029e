// What a kind of server (Kafka, Postgres, …) tells about itself, so that one piece of code can start, stop and watch
// them all. A new kind is one file that exports a ServerKind, and one line in all-servers.ts.
import type { Certificates } from "./certificates.ts";
import type { RunAs } from "./run-program.ts";
import type { Say } from "./say.ts";

/** What is fixed for one server in one folder, from its first start on. */
export interface Place {
  /** Where all servers' downloads and certificates are kept: `.servers` in the repository. Absolute. */
  readonly root: string;
  /** The server's own folder; `data` is for it to make. Absolute. */
  readonly folder: string;
  /** By the names in `ServerKind.ports`: free ports of 127.0.0.1. */
  readonly ports: Readonly<Record<string, number>>;
  /** Random, for the server's users; letters and digits only. */
  readonly password: string;
  readonly certificates: Certificates;
}

/** One process of a server. */
export interface ProcessPlan {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly runAs?: RunAs;
  /** Asks it to end in good order. */
  readonly stopSignal: "SIGTERM" | "SIGINT";
  /** Whether it serves now; asked again and again until it says yes. An error means not yet, but for a ConfigError. */
  isReady(signal: AbortSignal): Promise<boolean>;
}

/** `Addresses` is what people and tests connect with: an object of plain JSON. */
export interface Preparation<Addresses extends object> {
  /** Started in this order, each when the one before it is ready; stopped in the opposite order. */
  readonly processes: readonly ProcessPlan[];
  readonly addresses: Addresses;
}

export interface ServerKind<Addresses extends object = object> {
  /** As typed: `npm run servers -- start NAME`. */
  readonly name: string;
  /** Names of the ports it needs; `--port NAME=N` sets the first, `--port NAME.port=N` any. */
  readonly ports: readonly string[];
  /** What the example jobs read from the environment to find this server. */
  environment(addresses: Addresses): Readonly<Record<string, string>>;
  /**
   * Makes everything ready for the start: tools, downloads, configuration, the data folder. Idempotent: it keeps the
   * data that it finds. Starts nothing that stays.
   * @throws ConfigError a tool is missing; the hint is the command that installs it
   */
  prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<Addresses>>;
}
