// The calls on nodes, as promises: what is to be expected is an answer, everything else an error. A write whose reply
// is lost is OutcomeUnknownError, and it may still happen later: repeat it only with a version that it then no longer
// fits.
import type { ACL, Stat, Transaction } from "node-zookeeper-client";
import { ConfigError, messageOf } from "../../runtime/index.ts";
import { isCulprit, type Refusal } from "./failures.ts";
import { loadZooKeeper } from "./load-zookeeper.ts";
import type { Answer, CallOptions, Send } from "./session.ts";

/**
 * A request of more bytes is refused before it is sent: a server closes the connection over one of more than its
 * jute.maxbuffer, which is 1,048,575 unless it was changed.
 */
export const MAX_REQUEST_BYTES = 1_040_000;
/** What a request or one operation of a transaction takes beside its path and data; more than it is. */
const BYTES_AROUND = 100;
const ANY_VERSION = -1;

/** A node as it is now. */
export interface Node {
  readonly data: Buffer;
  /** How often its data were set, from 0; begins again when the node is made anew. */
  readonly version: number;
  /** When it was made, in ms since 1970 by the server's clock. */
  readonly createdMs: number;
  readonly childCount: number;
}

/** Who may do what with a node that is made: everybody, its maker alone, or its maker all and others read. */
export type Access = "everybody" | "maker" | "maker-others-read";

/** One operation of a transaction. A version is exact; without one, any fits. */
export type Operation =
  | { readonly do: "create"; readonly path: string; readonly data: Uint8Array; readonly access?: Access }
  | { readonly do: "set"; readonly path: string; readonly data: Uint8Array; readonly version?: number }
  | { readonly do: "check"; readonly path: string; readonly version?: number }
  | { readonly do: "remove"; readonly path: string; readonly version?: number };

/** All was done, or nothing; then `failed` is the index of the first operation that could not be. */
export type Done = { readonly is: "done" } | { readonly is: Refusal; readonly failed: number };

/** The bytes that a transaction takes on its way to the server, at most. */
export function requestBytes(operations: readonly Operation[]): number {
  return operations.reduce((sum, each) => sum + BYTES_AROUND + Buffer.byteLength(each.path) + dataBytes(each), 0);
}

/** What a session and the client that opens sessions have in common. Every call throws what `call` throws. */
export abstract class Operations {
  /** The servers as they were given, for messages. */
  abstract readonly servers: string;

  /** @throws TransientError | OutcomeUnknownError | ConfigError */
  protected abstract call<T>(send: Send<T>, options: CallOptions): Promise<Answer<T>>;

  /** The node, or undefined where there is none. */
  async get(path: string, signal: AbortSignal): Promise<Node | undefined> {
    const send: Send<Node> = (client, reply) =>
      client.getData(path, (error, data, stat) => (error ? reply.failed(error) : reply.ok(nodeOf(data, stat))));
    return foundIn(await this.call(send, { doing: `read ${path}`, writes: false, signal }));
  }

  /** The node without its data. */
  async exists(path: string, signal: AbortSignal): Promise<boolean> {
    const send: Send<boolean> = (client, reply) =>
      client.exists(path, (error, stat) => (error ? reply.failed(error) : reply.ok(stat !== null)));
    return foundIn(await this.call(send, { doing: `look for ${path}`, writes: false, signal })) ?? false;
  }

  /** The names of the nodes below, sorted by code unit; undefined where there is no node. */
  async children(path: string, signal: AbortSignal): Promise<readonly string[] | undefined> {
    const send: Send<string[]> = (client, reply) =>
      client.getChildren(path, (error, names) => (error ? reply.failed(error) : reply.ok([...names].sort())));
    return foundIn(await this.call(send, { doing: `list ${path}`, writes: false, signal }));
  }

  /** Makes a node: "done", "exists" or, where its parent is missing, "no-node". */
  async create(path: string, data: Uint8Array, signal: AbortSignal, access?: Access): Promise<"done" | Refusal> {
    return (await this.transaction([{ do: "create", path, data, ...(access && { access }) }], signal)).is;
  }

  /** Makes a node and those above it, each without data, as far as they are missing. Idempotent. */
  async mkdirp(path: string, signal: AbortSignal, access?: Access): Promise<void> {
    if (path === "/" || path === "" || (await this.exists(path, signal))) return;
    await this.mkdirp(path.slice(0, path.lastIndexOf("/")), signal, access);
    await this.create(path, new Uint8Array(), signal, access);
  }

  /** Sets a node's data if its version is this one. */
  async set(path: string, data: Uint8Array, version: number, signal: AbortSignal): Promise<"done" | Refusal> {
    return (await this.transaction([{ do: "set", path, data, version }], signal)).is;
  }

  /** Removes a node without children, of any version unless one is given. */
  async remove(path: string, signal: AbortSignal, version?: number): Promise<"done" | Refusal> {
    return (await this.transaction([{ do: "remove", path, ...(version !== undefined && { version }) }], signal)).is;
  }

  /**
   * After this, the session's reads show everything that was there when it was called, whichever server it is with.
   * The driver has no `sync`; this is stronger: a check that goes through the leader and is answered in order.
   * @throws TransientError
   */
  async sync(path: string, signal: AbortSignal): Promise<void> {
    const options = { doing: `catch up with ${path}`, writes: false, signal };
    const send: Send<void> = (client, reply) =>
      client
        .transaction()
        .check(path)
        .commit((error) => (error ? reply.failed(error) : reply.ok()));
    await this.call(send, options);
  }

  /**
   * Does all of it, or nothing.
   * @throws ConfigError it is larger than a request may be
   */
  async transaction(operations: readonly Operation[], signal: AbortSignal): Promise<Done> {
    const [first] = operations;
    if (first === undefined) return { is: "done" };
    const more = operations.length > 1 ? ` and ${operations.length - 1} more` : "";
    const doing = `${first.do} ${first.path}${more}`;
    const bytes = requestBytes(operations);
    if (bytes > MAX_REQUEST_BYTES) {
      throw new ConfigError(`cannot ${doing} (ZooKeeper at ${this.servers}): ${bytes} bytes are too many`, {
        hint: `a request of ZooKeeper holds ${MAX_REQUEST_BYTES} bytes`,
      });
    }
    const accessLists = await loadAccessLists();
    let failed = 0;
    const send: Send<void> = (client, reply) => {
      const transaction = client.transaction();
      for (const each of operations) add(transaction, each, accessLists);
      transaction.commit((error, results) => {
        if (!error) return reply.ok();
        failed = culpritOf(results);
        reply.failed(Object.assign(error, { message: `${messageOf(error)} at ${operations[failed]?.path}` }));
      });
    };
    const answer = await this.call(send, { doing, writes: true, signal });
    return answer.is === "done" ? { is: "done" } : { is: answer.is, failed };
  }
}

type AccessLists = Readonly<Record<Access, ACL[]>>;

async function loadAccessLists(): Promise<AccessLists> {
  const { ACL, Id, Permission } = await loadZooKeeper();
  const everybody = new Id("world", "anyone");
  // "auth" with no name stands for whoever the session has proven to be.
  const maker = new ACL(Permission.ALL, new Id("auth", ""));
  return {
    everybody: [new ACL(Permission.ALL, everybody)],
    maker: [maker],
    "maker-others-read": [maker, new ACL(Permission.READ, everybody)],
  };
}

function add(transaction: Transaction, operation: Operation, accessLists: AccessLists): void {
  const { path } = operation;
  if (operation.do === "create") {
    transaction.create(path, bufferOf(operation.data), accessLists[operation.access ?? "everybody"]);
    return;
  }
  const { version = ANY_VERSION } = operation;
  if (operation.do === "set") transaction.setData(path, bufferOf(operation.data), version);
  else if (operation.do === "check") transaction.check(path, version);
  else transaction.remove(path, version);
  // The driver takes version 0 for "any version".
  const { ops } = transaction as unknown as { ops: { version: number }[] };
  const last = ops.at(-1);
  if (last === undefined) throw new Error("the driver keeps the operations of a transaction elsewhere");
  last.version = version;
}

function culpritOf(results: unknown): number {
  const all: readonly { readonly err?: number }[] = Array.isArray(results) ? results : [];
  return Math.max(
    0,
    all.findIndex(({ err = 0 }) => isCulprit(err)),
  );
}

function nodeOf(data: Buffer | undefined, { version, ctime, numChildren }: Stat): Node {
  const createdMs = Number(ctime.readBigInt64BE());
  return { data: data ?? Buffer.alloc(0), version, createdMs, childCount: numChildren };
}

function foundIn<T>(answer: Answer<T>): T | undefined {
  return answer.is === "done" ? answer.value : undefined;
}

function dataBytes(operation: Operation): number {
  return "data" in operation ? operation.data.length : 0;
}

/** The driver takes Buffers; this one is a view, and it makes its own copy. */
function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
