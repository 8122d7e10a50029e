// A connection to a ZooKeeper ensemble that outlives its sessions: each call goes to the session there is, and where
// that has ended (a lost connection, a missed deadline, expiry) to a new one. No call is repeated by itself. What the
// checkpoint store and others share of this folder is exported here: a closed list.
import { ConfigError } from "../../runtime/index.ts";
import { Operations } from "./operations.ts";
import { type Answer, type CallOptions, type Send, Session, type SessionOptions } from "./session.ts";

export { checkZooKeeperPath, parseZooKeeperUrl } from "./address.ts";
export { type Access, MAX_REQUEST_BYTES, type Operation, requestBytes } from "./operations.ts";

const DEFAULT_SESSION_TIMEOUT_MS = 15_000;
const DEFAULT_CALL_TIMEOUT_MS = 10_000;

export interface ZooKeeperOptions {
  /** `host:port`, comma-separated; the port is 2181 unless given. */
  readonly servers: string;
  /** Proves who it is by ZooKeeper's scheme "digest". */
  readonly digest?: { readonly user: string; readonly password: string } | undefined;
  /** How long the server keeps a session it does not hear of; default 15,000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** The deadline of each call, connecting included; default 10,000. */
  readonly callTimeoutMs?: number | undefined;
}

/** The calls of one session: what it reads never goes back in time, and its writes are done in order. */
export type ZooKeeperSession = Operations;

/** A client of an ensemble. Constructing it does no I/O; dispose it to end its session. */
export class ZooKeeperClient extends Operations implements AsyncDisposable {
  readonly servers: string;
  readonly #options: SessionOptions;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  readonly #closing = new AbortController();

  /** @throws ConfigError the servers are not `host:port,host:port` */
  constructor({ servers, digest, sessionTimeoutMs, callTimeoutMs }: ZooKeeperOptions) {
    super();
    this.servers = servers;
    this.#options = {
      servers: serverList(servers),
      digest,
      sessionTimeoutMs: sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS,
      callTimeoutMs: callTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS,
    };
  }

  /**
   * A client that has connected once.
   * @throws TransientError no server answers
   * @throws ConfigError the driver is not installed, or the servers, user or password are wrong
   */
  static async open(options: ZooKeeperOptions, signal: AbortSignal): Promise<ZooKeeperClient> {
    const client = new ZooKeeperClient(options);
    await client.#open(signal);
    return client;
  }

  /**
   * The calls of the session there is now. For reads that must see what was written before, `sync` on it first: another
   * session may be with a server that lags behind. When the session ends, its calls fail with TransientError.
   */
  async session(signal: AbortSignal): Promise<ZooKeeperSession> {
    return new OneSession(await this.#open(signal), this.servers);
  }

  protected async call<T>(send: Send<T>, options: CallOptions): Promise<Answer<T>> {
    const session = await this.#open(options.signal);
    return await session.call(send, options);
  }

  /** Ends the session. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error(`the connection to ZooKeeper at ${this.servers} is closed`));
    await this.#opening?.catch(() => undefined);
    await this.#session?.close();
  }

  /** The session there is, or a new one; whoever comes while it is being opened waits for the same. */
  async #open(signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    if (this.#session?.isOpen) return this.#session;
    this.#opening ??= Session.open(this.#options, this.#closing.signal)
      .then((session) => {
        this.#session = session;
        return session;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return await unlessAborted(this.#opening, signal);
  }
}

class OneSession extends Operations {
  readonly servers: string;
  readonly #session: Session;

  constructor(session: Session, servers: string) {
    super();
    this.#session = session;
    this.servers = servers;
  }

  protected async call<T>(send: Send<T>, options: CallOptions): Promise<Answer<T>> {
    return await this.#session.call(send, options);
  }
}

function serverList(servers: string): readonly string[] {
  const list = servers.split(",").map((server) => server.trim());
  for (const server of list) {
    const [, port = ""] = /^[a-z0-9._-]+(?::(\d+))?$/i.exec(server) ?? [server, "0"];
    if (port === "" || (Number(port) > 0 && Number(port) < 65_536)) continue;
    throw new ConfigError(`${JSON.stringify(server.slice(0, 80))} is no server of ZooKeeper`, {
      hint: "write host:2181, several with commas: host1:2181,host2:2181",
    });
  }
  return list;
}

/** The opening goes on for those who wait for it as well. */
function unlessAborted<T>(opening: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    opening.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
