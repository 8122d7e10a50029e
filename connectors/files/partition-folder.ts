// The folder of a topic: which of its files are partitions (`0.ndjson`, `1.ndjson` and so on, nothing else), each known
// once.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { asTransient, hasErrno } from "./errno.ts";
import { PartitionFile } from "./partition-file.ts";

const PARTITION_FILE = /^(0|[1-9]\d{0,8})\.ndjson$/;
/** Files that are looked at or counted at the same time. */
const MAX_AT_ONCE = 4;

export interface FoundPartition {
  readonly partition: number;
  readonly file: PartitionFile;
}

/** A topic's folder; it must be there. */
export class PartitionFolder {
  private readonly dir: string;
  private readonly maxLineBytes: number;
  private readonly files = new Map<number, PartitionFile>();

  constructor(dir: string, maxLineBytes: number) {
    this.dir = dir;
    this.maxLineBytes = maxLineBytes;
  }

  path(partition: number): string {
    return join(this.dir, `${partition}.ndjson`);
  }

  /** A partition's file, whether it is there or not. */
  file(partition: number): PartitionFile {
    const known = this.files.get(partition);
    if (known !== undefined) return known;
    const file = new PartitionFile({
      path: this.path(partition),
      indexPath: join(this.dir, ".tidemark-index", `${partition}.json`),
      maxLineBytes: this.maxLineBytes,
    });
    this.files.set(partition, file);
    return file;
  }

  /** The partitions that are there now, sorted, their lines counted. */
  async list(signal: AbortSignal): Promise<readonly FoundPartition[]> {
    const partitions = await this.listNumbers();
    const present = new Set(partitions);
    for (const known of this.files.keys()) if (!present.has(known)) this.files.delete(known);
    const found: (FoundPartition | undefined)[] = new Array(partitions.length);
    const rest = partitions.entries();
    const worker = async (): Promise<void> => {
      for (const [at, partition] of rest) found[at] = await this.look(partition, signal);
    };
    await Promise.all(Array.from({ length: Math.min(MAX_AT_ONCE, partitions.length) }, worker));
    return found.filter((each) => each !== undefined);
  }

  /** Keeps the indexes for the next run. Never fails. */
  async save(): Promise<void> {
    for (const file of this.files.values()) await file.save();
  }

  private async listNumbers(): Promise<number[]> {
    let names: string[];
    try {
      names = await readdir(this.dir);
    } catch (error) {
      throw asTransient(`cannot list ${this.dir}`, error);
    }
    const partitions: number[] = [];
    for (const name of names) {
      const digits = PARTITION_FILE.exec(name)?.[1];
      if (digits !== undefined) partitions.push(Number(digits));
    }
    return partitions.sort((a, b) => a - b);
  }

  private async look(partition: number, signal: AbortSignal): Promise<FoundPartition | undefined> {
    const file = this.file(partition);
    try {
      if (!(await stat(file.path)).isFile()) return undefined;
      await file.refresh(signal);
      return { partition, file };
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asTransient(`cannot read ${file.path}`, error);
    }
  }
}
