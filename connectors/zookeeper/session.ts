// One session with one server, from connecting to its end. The driver's own reconnecting is switched off, since it
// hangs where no server is, never notices a server that is frozen, and sends what is left in its queue when nobody
// waits for it any more: here every call has a deadline, and after one that was missed, a lost connection or an answer
// that cannot be read the session is over for all its calls. Whoever needs another opens it.
import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import type { Client } from "node-zookeeper-client";
import { ConfigError, messageOf } from "../../runtime/index.ts";
import { failureOf, type Refusal, refusalOf, unreachable } from "./failures.ts";
import { loadZooKeeper } from "./load-zookeeper.ts";

/** An answer of more bytes ends the session. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Closing waits so long for the server to say goodbye. */
const CLOSE_WITHIN_MS = 1_000;
/** The driver's state of a connection that is not to come back. */
const CLOSED = -2;

export interface SessionOptions {
  readonly servers: readonly string[];
  readonly digest: { readonly user: string; readonly password: string } | undefined;
  readonly sessionTimeoutMs: number;
  readonly callTimeoutMs: number;
}

export interface CallOptions {
  /** As in "cannot … ". */
  readonly doing: string;
  readonly writes: boolean;
  readonly signal: AbortSignal;
}

/** What a call found: its value, or why the server did not do it. */
export type Answer<T> = { readonly is: "done"; readonly value: T } | { readonly is: Refusal };

/** Gives a request to the driver, and what its callback says to `reply`. */
export type Send<T> = (client: Client, reply: Reply<T>) => void;

interface Reply<T> {
  ok(value: T): void;
  failed(error: object): void;
}

/** What is below the driver's public surface: its connection, whose handlers it looks up when it connects. */
interface DriverConnection {
  socket?: Socket;
  connectTimeoutHandler?: NodeJS.Timeout | null;
  pendingBuffer: Buffer | null;
  onSocketData(chunk: Buffer): void;
  onSocketError(error: Error): void;
  onSocketClosed(): void;
  setState(state: number): void;
}

/** A session; over for good when it has ended. */
export class Session {
  readonly #client: Client;
  readonly #connection: DriverConnection;
  readonly #options: SessionOptions;
  readonly #waiting = new Set<(error: unknown) => void>();
  readonly #closed = Promise.withResolvers<void>();
  #lastError: Error | undefined;
  #ended: { readonly reason: unknown } | undefined;

  private constructor(client: Client, options: SessionOptions) {
    this.#client = client;
    this.#connection = (client as unknown as { connectionManager: DriverConnection }).connectionManager;
    this.#options = options;
  }

  /**
   * Opens a session with one of the servers, which are tried in random order.
   * @throws TransientError none of them answers
   * @throws ConfigError the driver is not installed, or the user and password are refused
   */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const driver = await loadZooKeeper();
    const withinMs = options.callTimeoutMs / options.servers.length;
    let lastError: unknown;
    for (const server of shuffled(options.servers)) {
      signal.throwIfAborted();
      const { sessionTimeoutMs: sessionTimeout } = options;
      const session = new Session(driver.createClient(server, { sessionTimeout, retries: 0 }), options);
      try {
        await session.#connect(withinMs, signal);
        return session;
      } catch (error) {
        session.end(error);
        signal.throwIfAborted();
        lastError = error;
        if (error instanceof ConfigError) break;
      }
    }
    throw unreachable(options.servers.join(","), lastError);
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /**
   * Sends a request and waits for its reply.
   * @throws TransientError | OutcomeUnknownError | ConfigError as `failureOf` has it
   */
  async call<T>(send: Send<T>, { doing, writes, signal }: CallOptions): Promise<Answer<T>> {
    signal.throwIfAborted();
    const servers = this.#options.servers.join(",");
    if (this.#ended !== undefined) throw unreachable(servers, this.#ended.reason);
    try {
      return { is: "done", value: await this.#reply(send, this.#options.callTimeoutMs, signal) };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal !== undefined) return { is: refusal };
      if (signal.aborted) throw error;
      throw failureOf(error, { doing, servers, writes });
    }
  }

  /** Ends it at once: what is under way is given up, what was not sent yet is never sent. */
  end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    clearTimeout(this.#connection.connectTimeoutHandler ?? undefined);
    this.#connection.setState(CLOSED);
    this.#connection.socket?.destroy();
    for (const fail of [...this.#waiting]) fail(reason);
    this.#closed.resolve();
  }

  /** Says goodbye, so that the server forgets the session now and not when it times out. */
  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const timer = setTimeout(() => this.end(new Error("it was closed")), CLOSE_WITHIN_MS);
    this.#client.close();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  async #connect(withinMs: number, signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    const { onSocketData } = connection;
    connection.onSocketData = (chunk) => {
      if (this.#ended !== undefined) return;
      try {
        // It throws at codes that it does not know, and nothing above it would catch that.
        onSocketData.call(connection, chunk);
      } catch (error) {
        this.end(error);
      }
      if ((connection.pendingBuffer?.length ?? 0) > MAX_ANSWER_BYTES) this.end(new Error("an answer is too large"));
    };
    connection.onSocketError = (error) => {
      this.#lastError = error;
    };
    connection.onSocketClosed = () => this.end(this.#lastError ?? new Error("the server closed the connection"));
    const refused = Object.assign(new Error("authentication failed"), { code: -115 });
    this.#client.on("authenticationFailed", () => this.end(refused));
    const { digest } = this.#options;
    if (digest !== undefined) this.#client.addAuthInfo("digest", Buffer.from(`${digest.user}:${digest.password}`));
    const connect: Send<void> = (client, reply) => {
      client.once("connected", () => reply.ok());
      client.connect();
    };
    await this.#reply(connect, withinMs, signal);
    // An idle session does not keep the process alive; the deadline of a call under way does.
    connection.socket?.unref();
  }

  /**
   * Past the deadline the session is over: a server that is frozen would keep all later calls waiting, too. A call that
   * is given up leaves it as it is, since the server does what a session asks in order.
   */
  #reply<T>(send: Send<T>, withinMs: number, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended.reason);
        return;
      }
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        this.#waiting.delete(fail);
      };
      const fail = (error: unknown) => {
        settle();
        reject(error);
      };
      const stop = () => fail(signal.reason);
      const timer = setTimeout(() => this.end(new Error(`no reply within ${Math.round(withinMs)} ms`)), withinMs);
      this.#waiting.add(fail);
      signal.addEventListener("abort", stop, { once: true });
      const ok = (value: T) => {
        settle();
        resolve(value);
      };
      try {
        send(this.#client, { ok, failed: fail });
      } catch (cause) {
        fail(new ConfigError(`ZooKeeper cannot be asked that: ${messageOf(cause)}`, { cause }));
      }
    });
  }
}

function shuffled(servers: readonly string[]): string[] {
  const rest = [...servers];
  return servers.flatMap(() => rest.splice(randomInt(rest.length), 1));
}
