// Where a job's nodes are and what is in them. Below ROOT/<job>:
//   head                       {"seq":"12","writer":"<token>","since":"9"}: the head, who took over last, with what
//   writer-<token>             there as long as that writer is the one that took over last
//   entries/<thousands>/<seq>  an entry's token and bytes; a folder has at most 1,000, so that listing it stays small
//   heartbeat                  the running writer's sign of life
// Numbers of entries have 16 digits, so that names sort as numbers do.
import { CheckpointCorruptError, type Entry } from "../../runtime/index.ts";

const DIGITS = 16;
const ENTRIES_OF_FOLDER = 1_000n;
const TOKEN_BYTES = 32;
const SEQ = /^\d{1,16}$/;
const WRITER = /^writer-[0-9a-f]{32}$/;

/** What the node `head` says. */
export interface Head {
  readonly seq: bigint;
  /** The token of the writer that took over last. */
  readonly writer: string;
  /** The entry that began its term. */
  readonly since: bigint;
}

/** The paths of one job's nodes. */
export class JobNodes {
  readonly job: string;
  readonly head: string;
  readonly entries: string;
  readonly heartbeat: string;

  /** @param root absolute; @param jobName checked before */
  constructor(root: string, jobName: string) {
    this.job = `${root}/${jobName}`;
    this.head = `${this.job}/head`;
    this.entries = `${this.job}/entries`;
    this.heartbeat = `${this.job}/heartbeat`;
  }

  writer(token: string): string {
    return `${this.job}/writer-${token}`;
  }

  /** The writers among the names of the nodes of the job. */
  writersAmong(names: readonly string[]): string[] {
    return names.filter((name) => WRITER.test(name)).map((name) => `${this.job}/${name}`);
  }

  /** The folder that entry `seq` is in, named for the first that it may hold. */
  folder(seq: bigint): string {
    return `${this.entries}/${numberName(seq - (seq % ENTRIES_OF_FOLDER))}`;
  }

  entry(seq: bigint): string {
    return `${this.folder(seq)}/${numberName(seq)}`;
  }
}

/** Whether entry `seq` is the first possible one of its folder. */
export function opensFolder(seq: bigint): boolean {
  return seq % ENTRIES_OF_FOLDER === 0n;
}

/** The numbers that names stand for, sorted; other names are left out. */
export function numbersIn(names: readonly string[]): bigint[] {
  return names
    .filter((name) => SEQ.test(name))
    .map(BigInt)
    .sort((a, b) => Number(a - b));
}

/** The data of the node `head`. */
export function encodeHead({ seq, writer, since }: Head): Buffer {
  return Buffer.from(JSON.stringify({ seq: `${seq}`, writer, since: `${since}` }));
}

/** @throws CheckpointCorruptError */
export function decodeHead(data: Buffer, path: string): Head {
  const { seq, writer, since } = parsed(data);
  const isHead = [seq, since].every((number) => typeof number === "string" && SEQ.test(number));
  if (isHead && typeof writer === "string") return { seq: BigInt(`${seq}`), writer, since: BigInt(`${since}`) };
  throw new CheckpointCorruptError(`${path} in ZooKeeper is not the head of a checkpoint`, {
    hint: "if another program writes there, give the checkpoint another path",
  });
}

/** The data of an entry's node: its token in 32 bytes, then its bytes. */
export function encodeEntry({ token, bytes }: Entry): Buffer {
  return Buffer.concat([Buffer.from(token.padEnd(TOKEN_BYTES), "latin1"), bytes]);
}

/** @throws CheckpointCorruptError */
export function decodeEntry(data: Buffer, path: string): Entry {
  if (data.length < TOKEN_BYTES) throw new CheckpointCorruptError(`${path} in ZooKeeper is not an entry`);
  const token = data.toString("latin1", 0, TOKEN_BYTES).trimEnd();
  return { token, bytes: new Uint8Array(data.subarray(TOKEN_BYTES)) };
}

function numberName(seq: bigint): string {
  return seq.toString().padStart(DIGITS, "0");
}

function parsed(data: Buffer): Partial<Record<keyof Head, unknown>> {
  try {
    const json: unknown = JSON.parse(data.toString("utf8"));
    return typeof json === "object" && json !== null ? json : {};
  } catch {
    return {};
  }
}
