// Where people's own tools look for a consumer's offsets: /consumers/<group>/offsets/<topic>/<partition>, decimal
// digits and nothing else. They are written in the transaction that appends the completion, so they are never ahead of
// the log, behind it, or moved back by a writer that was overtaken; only those that have changed are. Tools count a
// topic's partitions and read 0 to n − 1, so a number that is missing among them gets "0": nothing was completed there
// yet. The node `offsets` itself says whose they are: a group of somebody else's is not overwritten.
import type { Access, Operation, ZooKeeperSession } from "../../connectors/zookeeper/client.ts";
import { CheckpointMissingError, ConfigError, type Position } from "../../runtime/index.ts";

const MARK_MAX_BYTES = 4_096;
/** A larger gap between two partitions is left as it is. */
const MAX_FILLED = 1_000;

/** Whose the offsets of a group are. */
export interface Owner {
  /** ROOT/<job>. */
  readonly job: string;
  /** undefined where it was not told. */
  readonly lineageId: string | undefined;
}

interface CustomaryOptions {
  readonly group: string;
  readonly owner: Owner;
  readonly adoptGroup: boolean;
  /** Whether what is made can be changed by its maker alone. */
  readonly isPrivate: boolean;
}

/** A node that must be there with this text; a filler is only made when it is missing. */
interface Wanted {
  readonly path: string;
  readonly text: string;
  readonly isFiller: boolean;
}

/** The path of a group's offsets; the group is a name that was checked before. */
export function offsetsPath(group: string): string {
  return `/consumers/${group}/offsets`;
}

/** Refuses what cannot be the name of a group's node. @throws ConfigError */
export function checkGroup(group: string): void {
  if (/^[A-Za-z0-9._-]{1,255}$/.test(group) && group !== "." && group !== "..") return;
  throw new ConfigError(`${JSON.stringify(group.slice(0, 80))} is no name of a group`, {
    hint: "use 1 to 255 letters, digits, ., _ and -",
  });
}

/** Whose the offsets are, as their node says; undefined where it says nothing. */
export function decodeOwner(data: Buffer): Owner | undefined {
  if (data.length === 0 || data.length > MARK_MAX_BYTES) return undefined;
  try {
    const { checkpoint, lineage } = JSON.parse(data.toString("utf8")) ?? {};
    if (typeof checkpoint !== "string") return undefined;
    return { job: checkpoint, lineageId: typeof lineage === "string" ? lineage : undefined };
  } catch {
    return undefined;
  }
}

/** One writer's view of its group's offsets. */
export class CustomaryOffsets {
  readonly #options: CustomaryOptions;
  readonly #path: string;
  /** What is there, by path; undefined before it was read. A topic's own node is there with "". */
  #there: Map<string, string> | undefined;
  #isMarked = false;

  constructor(options: CustomaryOptions) {
    this.#options = options;
    this.#path = offsetsPath(options.group);
  }

  /**
   * Refuses a group whose offsets are somebody else's, and one that shows that this job had a log when it has none.
   * @throws ConfigError | CheckpointMissingError
   */
  async check(session: ZooKeeperSession, hasLog: boolean, signal: AbortSignal): Promise<void> {
    const { owner, group, adoptGroup } = this.#options;
    const node = await session.get(this.#path, signal);
    if (node === undefined || node.childCount === 0) return;
    const found = decodeOwner(node.data);
    const isSameLineage = found?.lineageId !== undefined && found.lineageId === owner.lineageId;
    const isSameJob = found?.job === owner.job;
    if (isSameLineage || (isSameJob && hasLog)) return;
    if (isSameJob) {
      throw new CheckpointMissingError(
        `the checkpoint ${owner.job} is gone from ZooKeeper, and ${this.#path} shows that there was one`,
        { hint: `bring it back; to begin anew, type in zkCli.sh: deleteall ${this.#path}` },
      );
    }
    if (adoptGroup) return;
    const whose = found === undefined ? "another program" : `the job ${found.job}`;
    throw new ConfigError(`the offsets of the group ${group} in ZooKeeper (${this.#path}) are those of ${whose}`, {
      hint: "give the store a group of its own (?group=NAME), or take this one over (?adoptGroup=true)",
    });
  }

  /** What to add to an append's transaction. */
  async operations(
    positions: readonly Position[],
    session: () => Promise<ZooKeeperSession>,
    signal: AbortSignal,
  ): Promise<readonly Operation[]> {
    if (positions.length === 0) return [];
    const there = this.#there ?? (await this.#read(positions, await session(), signal));
    this.#there = there;
    const operations: Operation[] = [];
    for (const { path, text, isFiller } of this.#wanted(positions)) {
      const now = there.get(path);
      if (now === text || (isFiller && now !== undefined)) continue;
      const data = Buffer.from(text);
      if (now !== undefined) operations.push({ do: "set", path, data });
      else operations.push({ do: "create", path, data, access: this.#accessOf(path) });
    }
    if (!this.#isMarked) operations.push({ do: "set", path: this.#path, data: this.#mark() });
    return operations;
  }

  /** The operations were done: these positions are there now. */
  wrote(positions: readonly Position[]): void {
    if (positions.length === 0) return;
    this.#isMarked = true;
    for (const { path, text, isFiller } of this.#wanted(positions)) {
      if (!isFiller || !this.#there?.has(path)) this.#there?.set(path, text);
    }
  }

  /** What is there is not what it was thought to be. */
  forget(): void {
    this.#there = undefined;
    this.#isMarked = false;
  }

  /** All nodes that must be there, those above before those below. */
  *#wanted(positions: readonly Position[]): Iterable<Wanted> {
    for (const path of this.#parents()) yield { path, text: "", isFiller: true };
    let [topic, next] = ["", 0];
    for (const position of positions) {
      const folder = `${this.#path}/${nodeName(position.topic)}`;
      if (position.topic !== topic) {
        [topic, next] = [position.topic, 0];
        yield { path: folder, text: "", isFiller: true };
      }
      if (position.partition - next <= MAX_FILLED) {
        for (; next < position.partition; next++) yield { path: `${folder}/${next}`, text: "0", isFiller: true };
      }
      yield { path: `${folder}/${position.partition}`, text: `${position.offset}`, isFiller: false };
      next = position.partition + 1;
    }
  }

  #parents(): string[] {
    return ["/consumers", `/consumers/${this.#options.group}`, this.#path];
  }

  /** Others make their own groups in the first. */
  #accessOf(path: string): Access {
    return this.#options.isPrivate && path !== "/consumers" ? "maker-others-read" : "everybody";
  }

  #mark(): Buffer {
    const { job, lineageId } = this.#options.owner;
    return Buffer.from(JSON.stringify({ checkpoint: job, ...(lineageId !== undefined && { lineage: lineageId }) }));
  }

  async #read(positions: readonly Position[], session: ZooKeeperSession, signal: AbortSignal) {
    const there = new Map<string, string>();
    for (const path of this.#parents()) if (await session.exists(path, signal)) there.set(path, "");
    for (const topic of new Set(positions.map((position) => position.topic))) {
      const folder = `${this.#path}/${nodeName(topic)}`;
      const names = await session.children(folder, signal);
      if (names === undefined) continue;
      there.set(folder, "");
      await Promise.all(
        names.map(async (name) => {
          const node = await session.get(`${folder}/${name}`, signal);
          if (node !== undefined) there.set(`${folder}/${name}`, node.data.toString("latin1"));
        }),
      );
    }
    return there;
  }
}

/** A topic as the name of a node: what Kafka allows as it is, everything else as %XX of its UTF-8. */
function nodeName(topic: string): string {
  if (topic === "." || topic === "..") return topic.replaceAll(".", "%2E");
  const bytesOf = (character: string) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
  return topic.replace(/[^A-Za-z0-9._-]/gu, bytesOf);
}
