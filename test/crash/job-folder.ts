// A folder with a job, its input and its output: lays them out, lets the input grow, and reads the output with a few
// lines of its own, which know nothing of the runtime but that files are read in the order of their names.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const JOB = fileURLToPath(new URL("copied-job.ts", import.meta.url));
export const PARTITIONS = 3;

/** A line of the input; `n` counts the lines of partition `p` from 0. */
export interface Line {
  readonly id: string;
  readonly p: number;
  readonly n: number;
}

/** Where the job can be told to wait. */
export type Hold = "task" | "commit" | "committed";

/** What a test may change of the job. */
export interface JobSettings {
  /** By partition; the job ends there. */
  readonly endingOffsets?: Readonly<Record<number, number>>;
  readonly stuck?: "concatMap" | "mergeWith";
  readonly options?: {
    readonly maxOffsetsPerBatch?: number;
    readonly phaseTimeoutMs?: number;
    readonly trigger?: "continuous" | "available-now";
  };
}

/** A job's folder. */
export class JobFolder {
  readonly dir: string;
  /** Lines written so far, by partition. */
  readonly #lines: number[] = new Array(PARTITIONS).fill(0);

  constructor(dir: string, settings: JobSettings = {}) {
    this.dir = dir;
    mkdirSync(join(dir, "in"), { recursive: true });
    cpSync(JOB, this.jobFile);
    writeFileSync(join(dir, "settings.json"), JSON.stringify(settings));
    this.append(0);
  }

  get jobFile(): string {
    return join(this.dir, "job.ts");
  }

  /** Adds so many lines to every partition; `torn`: the last one in two writes, as a slow writer would. */
  append(count: number, { torn = false } = {}): void {
    for (let p = 0; p < PARTITIONS; p++) {
      const from = this.#lines[p] ?? 0;
      const lines = Array.from({ length: count }, (_, index) => lineOf(p, from + index)).join("");
      const path = join(this.dir, "in", `${p}.ndjson`);
      const cut = torn ? lines.length - 7 : lines.length;
      appendFileSync(path, lines.slice(0, cut));
      if (torn) appendFileSync(path, lines.slice(cut));
      this.#lines[p] = from + count;
    }
  }

  /** Makes the job wait at this point, from now on. */
  hold(at: Hold): void {
    writeFileSync(join(this.dir, `hold-${at}`), "");
  }

  release(at: Hold): void {
    rmSync(join(this.dir, `hold-${at}`), { force: true });
  }

  /** What is wrong with the output, as sentences; none when every line has its row, once and in order. */
  problems(): string[] {
    return this.#problems("all of it");
  }

  /** What is wrong with the output so far: it must be the beginning of what it will be. */
  problemsSoFar(): string[] {
    return this.#problems("its beginning");
  }

  /** The files of the output with what would change if one were written again; no two writes have the same inode. */
  outputFiles(): string[] {
    return this.#names().map((name) => {
      const { ino, size, mtimeNs } = statSync(join(this.dir, "out", name), { bigint: true });
      return `${name} ${ino} ${size} ${mtimeNs}`;
    });
  }

  #problems(expected: "all of it" | "its beginning"): string[] {
    const found: string[] = [];
    const next: number[] = new Array(PARTITIONS).fill(0);
    for (const name of this.#names()) {
      const text = readFileSync(join(this.dir, "out", name), "utf8");
      if (!text.endsWith("\n")) found.push(`${name} ends within a row`);
      for (const line of text.split("\n").slice(0, -1)) {
        const { id, p, n } = JSON.parse(line) as Line;
        const want = withRow(next[p] ?? 0);
        if (n !== want || id !== `${p}-${n}`) found.push(`${name}: partition ${p} has ${id} where ${want} is next`);
        next[p] = n + 1;
      }
    }
    if (expected === "all of it") {
      for (const [p, lines] of this.#lines.entries()) {
        if (withRow(next[p] ?? 0) < lines) found.push(`partition ${p} ends before ${next[p]} of ${lines}`);
      }
    }
    return found.slice(0, 5);
  }

  #names(): string[] {
    const out = join(this.dir, "out");
    if (!existsSync(out)) return [];
    return readdirSync(out)
      .filter((name) => !/^[._]/.test(name))
      .sort();
  }
}

function lineOf(p: number, n: number): string {
  return `${JSON.stringify({ id: `${p}-${n}`, p, n, payload: "x".repeat(n % 40) })}\n`;
}

/** The first line from this one on that the job does not filter out. */
function withRow(n: number): number {
  return n % 10 === 9 ? n + 1 : n;
}
