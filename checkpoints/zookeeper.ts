// The store in a ZooKeeper ensemble: a node an entry, below one node per job. Taking over removes the node of the
// writer before, makes one's own and moves the head on, in one transaction with the entry that begins the term; every
// older writer's append needs its node and a version of the head that is past, and is refused for ever. Fencing is by
// what the ensemble keeps, never by the state of a connection or session. A request of ZooKeeper holds a megabyte, in
// which an entry must fit together with the customary offsets.
import { randomBytes } from "node:crypto";
import { checkZooKeeperPath, parseZooKeeperUrl, ZooKeeperClient } from "../connectors/zookeeper/client.ts";
import {
  type CheckpointStore,
  ConfigError,
  type Heartbeat,
  type LogBounds,
  type LogWriter,
  type NumberedEntry,
} from "../runtime/index.ts";
import { decodeHeartbeat } from "./heartbeat-json.ts";
import { checkJobName, isJobName } from "./job-name.ts";
import { CustomaryOffsets, checkGroup } from "./zookeeper/customary-offsets.ts";
import { examineEnsemble } from "./zookeeper/examine.ts";
import { JobNodes } from "./zookeeper/layout.ts";
import { ZooKeeperLogWriter } from "./zookeeper/log-writer.ts";
import { currentSession, readBounds, readEntries } from "./zookeeper/read-log.ts";
import { takeOver } from "./zookeeper/take-over.ts";

const MAX_ENTRY_BYTES = 512 * 1024;
const DEFAULT_ROOT = "/tidemark";

export interface ZooKeeperStoreOptions {
  /** `host:port`, comma-separated; the port is 2181 unless given. */
  readonly servers: string;
  /** The node that the jobs are below, made when it is not there. Default "/tidemark". */
  readonly root?: string;
  /** Then only this user can change what the store makes. */
  readonly digest?: { readonly user: string; readonly password: string };
  /**
   * Offsets are shown in /consumers/<group>/offsets, for people's own tools. Default: the job's name; false: nowhere.
   */
  readonly group?: string | false;
  /** Also where that group has offsets already that something else wrote. Default false. */
  readonly adoptGroup?: boolean;
  /** The deadline of each call, in ms; default 10,000. */
  readonly callTimeoutMs?: number;
}

/**
 * A checkpoint store in ZooKeeper. Constructing it does no I/O.
 * @throws ConfigError an option cannot be right
 */
export function zookeeperStore(options: ZooKeeperStoreOptions): CheckpointStore {
  return new ZooKeeperStore(options);
}

/**
 * The store of `zookeeper://[user:password@]host:port,host:port[/root][?group=NAME&adoptGroup=true]`.
 * @throws ConfigError
 */
export function zookeeperStoreOf(url: string): CheckpointStore {
  const { servers, digest, path, parameters } = parseZooKeeperUrl(url);
  for (const name of parameters.keys()) {
    if (name === "group" || name === "adoptGroup") continue;
    throw new ConfigError(`the URL of the ZooKeeper store has an unknown parameter ${name.slice(0, 40)}`, {
      hint: "there are group and adoptGroup",
    });
  }
  const group = parameters.get("group");
  const adoptGroup = parameters.get("adoptGroup") === "true";
  return new ZooKeeperStore({
    servers,
    adoptGroup,
    ...(digest && { digest }),
    ...(path !== undefined && { root: path }),
    ...(group !== null && { group }),
  });
}

class ZooKeeperStore implements CheckpointStore {
  readonly url: string;
  readonly maxEntryBytes = MAX_ENTRY_BYTES;
  readonly #client: ZooKeeperClient;
  readonly #root: string;
  readonly #digest: ZooKeeperStoreOptions["digest"];
  readonly #group: string | false | undefined;
  readonly #adoptGroup: boolean;

  constructor(options: ZooKeeperStoreOptions) {
    const { servers, root = DEFAULT_ROOT, digest, group, adoptGroup = false, callTimeoutMs } = options;
    this.#root = checkZooKeeperPath(root);
    if (typeof group === "string") checkGroup(group);
    this.#client = new ZooKeeperClient({ servers, digest, callTimeoutMs });
    this.#digest = digest;
    this.#group = group;
    this.#adoptGroup = adoptGroup;
    this.url = `zookeeper://${digest === undefined ? "" : `${encodeURIComponent(digest.user)}@`}${servers}${root}`;
  }

  async bounds(jobName: string, signal: AbortSignal): Promise<LogBounds | undefined> {
    const nodes = this.#nodesOf(jobName);
    return await readBounds(await currentSession(this.#client, nodes, signal), nodes, signal);
  }

  async *read(jobName: string, from: bigint, signal: AbortSignal): AsyncIterable<NumberedEntry> {
    const nodes = this.#nodesOf(jobName);
    yield* readEntries(await currentSession(this.#client, nodes, signal), nodes, from, signal);
  }

  async takeOver(
    jobName: string,
    begin: (head: bigint) => NumberedEntry,
    signal: AbortSignal,
    lineageId?: string,
  ): Promise<LogWriter> {
    const nodes = this.#nodesOf(jobName);
    signal.throwIfAborted();
    const client = this.#client;
    const access = this.#digest === undefined ? "everybody" : "maker";
    const customary = this.#customaryOf(nodes, jobName, lineageId);
    const writer = randomBytes(16).toString("hex");
    const begun = await takeOver({ client, root: this.#root, nodes, writer, customary, access }, begin, signal);
    return new ZooKeeperLogWriter({ client, nodes, jobName, writer, customary, access, ...begun });
  }

  async heartbeat(jobName: string, signal: AbortSignal): Promise<Heartbeat | undefined> {
    const node = await this.#client.get(this.#nodesOf(jobName).heartbeat, signal);
    return node === undefined ? undefined : decodeHeartbeat(node.data.toString("utf8"));
  }

  async jobs(signal: AbortSignal): Promise<readonly string[]> {
    const session = await this.#client.session(signal);
    await session.sync(this.#root, signal);
    const names = ((await session.children(this.#root, signal)) ?? []).filter(isJobName);
    const haveLogs = await Promise.all(names.map((name) => session.exists(this.#nodesOf(name).head, signal)));
    return names.filter((_, index) => haveLogs[index]);
  }

  async examine(signal: AbortSignal): Promise<readonly string[]> {
    const hasPassword = this.#digest !== undefined;
    return await examineEnsemble({ client: this.#client, root: this.#root, hasPassword }, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  /** @throws ConfigError that is no job name */
  #nodesOf(jobName: string): JobNodes {
    checkJobName(jobName);
    return new JobNodes(this.#root, jobName);
  }

  #customaryOf(nodes: JobNodes, jobName: string, lineageId: string | undefined): CustomaryOffsets | undefined {
    if (this.#group === false) return undefined;
    const isPrivate = this.#digest !== undefined;
    const owner = { job: nodes.job, lineageId };
    return new CustomaryOffsets({ group: this.#group ?? jobName, owner, adoptGroup: this.#adoptGroup, isPrivate });
  }
}
