// One writer's term on a job's log. An append is one transaction: the writer's own node is still there (whoever takes
// over removes it), the head's version is the one that belongs to the entry before, and then entry, head and customary
// offsets are written. Both are compared by the server itself at that moment, so that a transaction which a frozen
// server or a slow network brings in late finds that it no longer fits.
import {
  MAX_REQUEST_BYTES,
  type Operation,
  requestBytes,
  type ZooKeeperClient,
} from "../../connectors/zookeeper/client.ts";
import {
  type Appended,
  CheckpointMissingError,
  ConfigError,
  type Entry,
  type Heartbeat,
  type LogWriter,
  type Position,
  TransientError,
} from "../../runtime/index.ts";
import { decodeHeartbeat, encodeHeartbeat } from "../heartbeat-json.ts";
import type { CustomaryOffsets } from "./customary-offsets.ts";
import { encodeEntry, encodeHead, type JobNodes, opensFolder } from "./layout.ts";
import { currentSession, foldersFrom, readEntry, readHead } from "./read-log.ts";

const NO_FIT = `do not fit in a request of ZooKeeper, which holds ${MAX_REQUEST_BYTES} bytes`;
/** Removed in one transaction. */
const PRUNED_AT_ONCE = 500;
/** Tries of what another program or another call of ours changed meanwhile. */
const TRIES = 5;

/** What a writer works with. */
export interface Term {
  readonly client: ZooKeeperClient;
  readonly nodes: JobNodes;
  readonly jobName: string;
  /** The random token that is this writer's alone. */
  readonly writer: string;
  /** The entry that began the term, and the version of the head with it. */
  readonly since: bigint;
  readonly version: number;
  /** undefined: none are kept. */
  readonly customary: CustomaryOffsets | undefined;
  readonly access: "everybody" | "maker";
}

/** Appends to the log that was taken over; made only by a take-over. */
export class ZooKeeperLogWriter implements LogWriter {
  readonly #term: Term;
  /** The newest entry that is known to be there: what is pruned lies below. */
  #newest: bigint;
  #isClosed = false;

  constructor(term: Term) {
    this.#term = term;
    this.#newest = term.since;
  }

  async append(seq: bigint, entry: Entry, customary: readonly Position[], signal: AbortSignal): Promise<Appended> {
    const { client, nodes, jobName, since } = this.#term;
    if (this.#isClosed) throw new Error(`the writer of ${jobName} is closed`);
    signal.throwIfAborted();
    // What was there before the term began has no version of the head in it.
    if (seq <= since) return await this.#whatIsThere(seq, signal);
    const own = this.#operations(seq, entry);
    const places = this.#term.customary;
    const session = () => currentSession(client, nodes, signal);
    for (let attempt = 1; ; attempt++) {
      const shown = (await places?.operations(customary, session, signal)) ?? [];
      const operations = [...own, ...shown];
      if (requestBytes(operations) > MAX_REQUEST_BYTES) {
        throw new ConfigError(
          `entry ${seq} of ${jobName} and the offsets of its ${customary.length} partitions ${NO_FIT}`,
          {
            hint: "fewer partitions in one job, zookeeperStore({ …, group: false }), or another checkpoint store",
          },
        );
      }
      const done = await client.transaction(operations, signal);
      if (done.is === "done") {
        places?.wrote(customary);
        if (seq > this.#newest) this.#newest = seq;
        return { is: "appended" };
      }
      // Somebody else changed the customary nodes, or this very append did, and its reply was lost.
      places?.forget();
      if (done.failed < own.length) return await this.#whatIsThere(seq, signal);
      if (attempt === TRIES) throw new TransientError(`${shown[done.failed - own.length]?.path} does not keep still`);
    }
  }

  async prune(before: bigint, signal: AbortSignal): Promise<void> {
    const { client, nodes, writer } = this.#term;
    const end = before < this.#newest ? before : this.#newest;
    const session = await currentSession(client, nodes, signal);
    for await (const numbers of foldersFrom(session, nodes, 0n, signal)) {
      const [first] = numbers;
      if (first === undefined) continue;
      if (first >= end) return;
      const removed = numbers.filter((seq) => seq < end);
      for (let at = 0; at < removed.length; at += PRUNED_AT_ONCE) {
        const operations: Operation[] = removed
          .slice(at, at + PRUNED_AT_ONCE)
          .map((seq) => ({ do: "remove", path: nodes.entry(seq) }));
        const isLast = at + PRUNED_AT_ONCE >= removed.length;
        if (isLast && removed.length === numbers.length && nodes.folder(first) !== nodes.folder(this.#newest)) {
          operations.push({ do: "remove", path: nodes.folder(first) });
        }
        const done = await client.transaction([{ do: "check", path: nodes.writer(writer) }, ...operations], signal);
        // Overtaken, or another call has removed them: the next time goes on from what is there.
        if (done.is !== "done") return;
      }
    }
  }

  async beat(heartbeat: Heartbeat, signal: AbortSignal): Promise<void> {
    const { client, nodes, access } = this.#term;
    const data = Buffer.from(encodeHeartbeat(heartbeat));
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const node = await client.get(nodes.heartbeat, signal);
      const last = node === undefined ? undefined : decodeHeartbeat(node.data.toString("utf8"));
      if (last !== undefined && last.epoch > heartbeat.epoch) return;
      const done =
        node === undefined
          ? await client.create(nodes.heartbeat, data, signal, access)
          : await client.set(nodes.heartbeat, data, node.version, signal);
      if (done === "done") return;
    }
  }

  /** The connection belongs to the store. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
  }

  #operations(seq: bigint, entry: Entry): Operation[] {
    const { nodes, writer, since, version, access } = this.#term;
    const operations: Operation[] = [
      { do: "check", path: nodes.writer(writer) },
      {
        do: "set",
        path: nodes.head,
        data: encodeHead({ seq, writer, since }),
        version: version + Number(seq - since) - 1,
      },
    ];
    if (opensFolder(seq)) operations.push({ do: "create", path: nodes.folder(seq), data: Buffer.alloc(0), access });
    operations.push({ do: "create", path: nodes.entry(seq), data: encodeEntry(entry), access });
    return operations;
  }

  async #whatIsThere(seq: bigint, signal: AbortSignal): Promise<Appended> {
    const { client, nodes, jobName } = this.#term;
    const session = await currentSession(client, nodes, signal);
    const entry = await readEntry(session, nodes, seq, signal);
    const head = await readHead(session, nodes, signal);
    if (head === undefined) {
      throw new CheckpointMissingError(`the checkpoint of ${jobName} is gone from ZooKeeper (${nodes.job})`, {
        hint: "bring it back, or begin anew under another name",
      });
    }
    return entry === undefined ? { is: "behind", head: head.seq } : { is: "exists", entry };
  }
}
