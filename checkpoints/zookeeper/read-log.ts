// Reads a job's log. Every read begins by catching up with the ensemble, and all of it happens in one session, whose
// view never goes back in time: what was appended before is seen, whichever server answers. Entries may be pruned
// meanwhile; then they are left out.
import type { ZooKeeperClient, ZooKeeperSession } from "../../connectors/zookeeper/client.ts";
import { CheckpointCorruptError, type Entry, type LogBounds, type NumberedEntry } from "../../runtime/index.ts";
import { decodeEntry, decodeHead, type Head, type JobNodes, numbersIn } from "./layout.ts";

/** Entries asked for at once: with the largest ones it is 16 MB on their way. */
const PAGE = 32;

/** The head and the version of its node; undefined where there is no log. */
export interface SeenHead extends Head {
  readonly version: number;
}

/** A session that has caught up with everything that was written before. */
export async function currentSession(
  client: ZooKeeperClient,
  { job }: JobNodes,
  signal: AbortSignal,
): Promise<ZooKeeperSession> {
  const session = await client.session(signal);
  await session.sync(job, signal);
  return session;
}

/** The head, if there is a log. @throws CheckpointCorruptError it is none */
export async function readHead(
  session: ZooKeeperSession,
  { head }: JobNodes,
  signal: AbortSignal,
): Promise<SeenHead | undefined> {
  const node = await session.get(head, signal);
  return node === undefined ? undefined : { ...decodeHead(node.data, head), version: node.version };
}

/** One entry, if it is there. @throws CheckpointCorruptError */
export async function readEntry(
  session: ZooKeeperSession,
  nodes: JobNodes,
  seq: bigint,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  const path = nodes.entry(seq);
  const node = await session.get(path, signal);
  return node === undefined ? undefined : decodeEntry(node.data, path);
}

/** The oldest entry and the head. @throws CheckpointCorruptError there is a head and no entry */
export async function readBounds(
  session: ZooKeeperSession,
  nodes: JobNodes,
  signal: AbortSignal,
): Promise<LogBounds | undefined> {
  let before: SeenHead | undefined;
  for (;;) {
    const head = await readHead(session, nodes, signal);
    if (head === undefined) return undefined;
    if (head.version === before?.version) break;
    for await (const [first] of foldersFrom(session, nodes, 0n, signal)) {
      if (first !== undefined) return { first, head: head.seq };
    }
    // All that was listed may have been pruned meanwhile: then the head has moved on.
    before = head;
  }
  throw new CheckpointCorruptError(`the entries of ${nodes.job} in ZooKeeper are gone, its head is still there`);
}

/** The entries from `from` (inclusive) on that were there when it began. */
export async function* readEntries(
  session: ZooKeeperSession,
  nodes: JobNodes,
  from: bigint,
  signal: AbortSignal,
): AsyncIterable<NumberedEntry> {
  for await (const numbers of foldersFrom(session, nodes, from, signal)) {
    for (let at = 0; at < numbers.length; at += PAGE) {
      const page = numbers.slice(at, at + PAGE);
      const entries = await Promise.all(page.map((seq) => readEntry(session, nodes, seq, signal)));
      for (const [index, seq] of page.entries()) {
        const entry = entries[index];
        if (entry !== undefined) yield { seq, entry };
      }
    }
  }
}

/** The numbers of the entries from `from` (inclusive) on, folder by folder; a folder may turn out to be empty. */
export async function* foldersFrom(
  session: ZooKeeperSession,
  nodes: JobNodes,
  from: bigint,
  signal: AbortSignal,
): AsyncIterable<readonly bigint[]> {
  for (const folder of numbersIn((await session.children(nodes.entries, signal)) ?? [])) {
    if (nodes.folder(folder) < nodes.folder(from)) continue;
    const numbers = numbersIn((await session.children(nodes.folder(folder), signal)) ?? []);
    yield numbers.filter((seq) => seq >= from);
  }
}
