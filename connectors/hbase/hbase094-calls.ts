// Calls to a cluster that speaks the protocol of HBase 0.94, by way of the driver hbase-client. The driver finds
// regions by itself, but hangs where ZooKeeper has nothing for it, keeps connections that no longer answer, and has no
// way to be closed: so it is told where the root region is, every call has a deadline, and after a failure of the
// connection the driver's client is thrown away. A call whose reply was lost is never repeated.
import { messageOf, TidemarkError, TransientError } from "../../runtime/index.ts";
import { ZooKeeperClient } from "../zookeeper/client.ts";
import type { HBaseAddress } from "./address.ts";
import { type Callback, type Client, type Driver, loadHBaseClient, type RootNode } from "./load-hbase-client.ts";
import { Patience } from "./patience.ts";
import { LostReplyError, NotSentError, ServerException } from "./rpc-errors.ts";

const CALL_WITHIN_MS = 10_000;
/** Errors of the driver's own that mean that nothing was sent. */
const NOT_SENT = new Set(["ConnectionRefusedException", "ConnectionConnectTimeoutException"]);
/** Errors of the driver's own that stand for what the catalog says. */
const OF_THE_CATALOG = new Set(["TableNotFoundException", "RegionOfflineException", "NoServerForRegionException"]);

export interface Work094 {
  readonly table: string;
  /** As in "cannot … ". */
  readonly doing: string;
  readonly writes: boolean;
  readonly signal: AbortSignal;
}

/** Makes calls, on a connection that is made when needed. Constructing it does no I/O. */
export class Hbase094Calls implements AsyncDisposable {
  readonly #address: HBaseAddress;
  #client: Client | undefined;
  #isClosed = false;

  constructor(address: HBaseAddress) {
    this.#address = address;
  }

  /**
   * Makes one call, again for some seconds when its region is elsewhere.
   * @throws TransientError | OutcomeUnknownError | ConfigError as `failureOf` has it
   */
  async run<T>(work: Work094, send: (client: Client, driver: Driver, reply: Callback<T>) => void): Promise<T> {
    const { table, doing, writes, signal } = work;
    const { zookeeper: cluster, user } = this.#address;
    const patience = new Patience({ table, doing, writes, cluster, user }, signal);
    const driver = await loadHBaseClient();
    for (;;) {
      try {
        const client = await this.#connected(driver, signal);
        return await this.#reply<T>(client, (reply) => send(client, driver, reply), signal);
      } catch (error) {
        await patience.wait(signal.aborted ? error : this.#told(error));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#drop();
  }

  async #connected(driver: Driver, signal: AbortSignal): Promise<Client> {
    if (this.#isClosed) throw new Error(`the connection to HBase at ${this.#address.zookeeper} is closed`);
    if (this.#client !== undefined) return this.#client;
    const { zookeeper: servers, parent } = this.#address;
    await using zookeeper = new ZooKeeperClient({ servers });
    const root = await zookeeper.get(`${parent}/root-region-server`, signal);
    if (root === undefined) {
      throw new TransientError(`HBase is not there: no ${parent}/root-region-server in ZooKeeper at ${servers}`, {
        hint: "is HBase running?",
      });
    }
    const logger = { warn: () => undefined, error: () => undefined };
    this.#client ??= driver.create({ zk: rootNode(root.data), rpcTimeout: CALL_WITHIN_MS, logger });
    this.#client.setMaxListeners(0);
    guardAnswers(this.#client);
    return this.#client;
  }

  #reply<T>(client: Client, send: (reply: Callback<T>) => void, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        // An idle connection does not keep the process alive.
        for (const { socket, _pingTimer } of Object.values(client.servers)) {
          socket?.unref();
          _pingTimer?.unref();
        }
      };
      const fail = (error: unknown) => {
        settle();
        reject(error);
      };
      const stop = () => fail(signal.reason);
      const late = () => fail(new LostReplyError(`no reply within ${CALL_WITHIN_MS} ms`));
      const timer = setTimeout(late, CALL_WITHIN_MS);
      signal.addEventListener("abort", stop, { once: true });
      try {
        send((error, value) => {
          if (error) return fail(error);
          settle();
          resolve(value);
        });
      } catch (error) {
        fail(error);
      }
    });
  }

  /** What the driver's error says, in the words of this folder. A connection that has failed is not used again. */
  #told(error: unknown): unknown {
    if (error instanceof TidemarkError || error instanceof ServerException) return error;
    const name = error instanceof Error ? error.name : "";
    if (OF_THE_CATALOG.has(name) || name.includes(".")) {
      const doNotRetry = name.includes("DoNotRetry");
      return new ServerException({ className: name, stackTrace: messageOf(error), doNotRetry });
    }
    this.#drop();
    if (NOT_SENT.has(name)) return new NotSentError(messageOf(error), { cause: error });
    return error instanceof LostReplyError ? error : new LostReplyError(messageOf(error), { cause: error });
  }

  #drop(): void {
    for (const server of Object.values(this.#client?.servers ?? {})) server.close();
    this.#client = undefined;
  }
}

/**
 * The driver throws at an answer that it cannot read, in an event of the socket, where nothing would catch that but the
 * end of the process: here it ends the connection, and so all calls on it.
 */
function guardAnswers(client: Client): void {
  const open = client.getRegionConnection.bind(client);
  client.getRegionConnection = (host, port, callback) => {
    open(host, port, callback);
    const { socket } = client.servers[`${host}:${port}`] ?? {};
    // Its own property: this one is guarded already.
    if (socket === undefined || Object.hasOwn(socket, "emit")) return;
    const emit = socket.emit.bind(socket) as (...event: readonly unknown[]) => boolean;
    const guarded = (...event: readonly unknown[]) => {
      try {
        return emit(...event);
      } catch (cause) {
        socket.destroy(new Error(`an answer cannot be read: ${messageOf(cause)}`, { cause }));
        return true;
      }
    };
    Object.assign(socket, { emit: guarded });
  };
}

/** Tells the driver the one thing that it wants to know of ZooKeeper. */
function rootNode(data: Buffer): RootNode {
  return {
    once: (_event, callback) => callback(),
    unWatch: () => undefined,
    watch: (_path, callback) => callback(null, data),
    get: (_path, callback) => callback(null, data),
  };
}
