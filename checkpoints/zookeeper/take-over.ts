// Takes a job's log over, in one transaction: the nodes of earlier writers are removed, this writer's is made, the head
// moves on from the version that was read, and the entry that begins the term is there. Of several at once one wins;
// the others find another version of the head and start again from it.
import type { Operation, ZooKeeperClient, ZooKeeperSession } from "../../connectors/zookeeper/client.ts";
import { CheckpointCorruptError, type NumberedEntry } from "../../runtime/index.ts";
import type { CustomaryOffsets } from "./customary-offsets.ts";
import { encodeEntry, encodeHead, type JobNodes } from "./layout.ts";
import { currentSession, readHead, type SeenHead } from "./read-log.ts";

const NOTHING = new Uint8Array();

export interface TakeOver {
  readonly client: ZooKeeperClient;
  readonly root: string;
  readonly nodes: JobNodes;
  /** The new writer's token. */
  readonly writer: string;
  readonly customary: CustomaryOffsets | undefined;
  readonly access: "everybody" | "maker";
}

/** The entry that began the term, and the version of the head with it. */
export interface Begun {
  readonly since: bigint;
  readonly version: number;
}

/** What of the job's nodes is there. */
interface Seen {
  readonly head: SeenHead | undefined;
  /** undefined: not even the job's own node. */
  readonly names: readonly string[] | undefined;
  readonly hasFolder: boolean;
}

/**
 * Takes over as the store's `takeOver` has it.
 * @throws CheckpointCorruptError nodes are in the way, or missing, that no writer of ours leaves so
 */
export async function takeOver(
  taking: TakeOver,
  begin: (head: bigint) => NumberedEntry,
  signal: AbortSignal,
): Promise<Begun> {
  const { client, root, nodes, customary, access } = taking;
  let before: Seen | undefined;
  for (;;) {
    const session = await currentSession(client, nodes, signal);
    const head = await readHead(session, nodes, signal);
    await customary?.check(session, head !== undefined, signal);
    const begun = begin(head?.seq ?? -1n);
    if (head !== undefined && begun.seq <= head.seq) {
      throw new RangeError(`a term cannot begin at entry ${begun.seq}: the head is ${head.seq}`);
    }
    await client.mkdirp(root, signal, access);
    const seen = await look(session, nodes, head, begun.seq, signal);
    const operations = beginning(taking, seen, begun);
    const done = await client.transaction(operations, signal);
    if (done.is === "done") return { since: begun.seq, version: head === undefined ? 0 : head.version + 1 };
    // Another took over meanwhile, and the head is another: once more.
    if (before !== undefined && before.head?.version === head?.version) {
      const path = operations[done.failed]?.path;
      throw new CheckpointCorruptError(`${path} in ZooKeeper is not as the checkpoint left it: ${done.is}`, {
        hint: "has another program made or removed nodes there? Bring them back, or give the checkpoint another path",
      });
    }
    before = seen;
  }
}

async function look(
  session: ZooKeeperSession,
  nodes: JobNodes,
  head: SeenHead | undefined,
  seq: bigint,
  signal: AbortSignal,
): Promise<Seen> {
  const [names, hasFolder] = await Promise.all([
    session.children(nodes.job, signal),
    session.exists(nodes.folder(seq), signal),
  ]);
  return { head, names, hasFolder };
}

function beginning(
  { nodes, writer, access }: TakeOver,
  { head, names, hasFolder }: Seen,
  { seq, entry }: NumberedEntry,
): Operation[] {
  const create = (path: string, data: Uint8Array = NOTHING): Operation => ({ do: "create", path, data, access });
  const moved = encodeHead({ seq, writer, since: seq });
  return [
    ...(names === undefined ? [create(nodes.job)] : []),
    head === undefined
      ? create(nodes.head, moved)
      : { do: "set", path: nodes.head, data: moved, version: head.version },
    ...nodes.writersAmong(names ?? []).map((path): Operation => ({ do: "remove", path })),
    create(nodes.writer(writer)),
    ...(names?.includes("entries") ? [] : [create(nodes.entries)]),
    ...(hasFolder ? [] : [create(nodes.folder(seq))]),
    create(nodes.entry(seq), encodeEntry(entry)),
  ];
}
