// The folder of a job on Kafka and, perhaps, Postgres: its settings, and the files that hold it back.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hold } from "./job-folder.ts";

const PROGRAM = fileURLToPath(new URL("kafka-job.ts", import.meta.url));

/** What kafka-job.ts finds in its settings.json. */
export interface KafkaJobSettings {
  readonly name: string;
  readonly bootstrap: string;
  readonly input: string;
  readonly output: { readonly topic: string } | { readonly url: string; readonly table: string };
  /** A URL; a relative one is in the folder. */
  readonly checkpoint: string;
  readonly maxOffsetsPerBatch: number;
  /** Before each commit, to make the job last; default none. */
  readonly pauseMs?: number;
}

/** Lays out the job; `dir` must be new. */
export class KafkaJobFolder {
  readonly #dir: string;

  constructor(dir: string, settings: KafkaJobSettings) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true });
    cpSync(PROGRAM, this.jobFile);
    writeFileSync(join(dir, "settings.json"), JSON.stringify(settings));
  }

  get jobFile(): string {
    return join(this.#dir, "job.ts");
  }

  /** Makes the job wait at this point, from now on. */
  hold(at: Hold): void {
    writeFileSync(join(this.#dir, `hold-${at}`), "");
  }

  release(at: Hold): void {
    rmSync(join(this.#dir, `hold-${at}`), { force: true });
  }
}
