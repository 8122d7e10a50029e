// The connections to one database: a few, opened when needed and replaced when they die. A statement that runs by
// itself is its own transaction, so that nothing of it stays open on the server when this process is frozen. No
// session keeps a state between two transactions (no prepared statements, no `set` but `set local`), so that a pooler
// may stand before the server.
import type { Pool, PoolClient, QueryResult } from "pg";
import { type Address, parseAddress, tlsOptions } from "./address.ts";
import { awaitReply } from "./await-reply.ts";
import { closingClient } from "./closing-client.ts";
import { failureOf, isSessionOver } from "./failures.ts";
import { loadPg } from "./load-pg.ts";
import { Transaction, type TransactionLimits } from "./transaction.ts";

const IDLE_CONNECTION_MS = 30_000;
const KEEP_ALIVE_AFTER_MS = 10_000;
/** Closing waits so long for the server to say goodbye. */
const CLOSE_WITHIN_MS = 2_000;
const STATEMENT_WITHIN_MS = 30_000;
/** What sessions are called that run single statements. */
const APPLICATION_NAME = "tidemark";

export interface ConnectionsOptions {
  /** `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string;
  /** Instead of the URL's; asked for at each new connection, so that it may be a token that expires. */
  readonly password?: (() => string | Promise<string>) | undefined;
  /** Connections at once; ≥ 1. */
  readonly max: number;
}

export interface StatementOptions {
  /** For errors, as in "cannot … ". */
  readonly doing: string;
  readonly signal: AbortSignal;
  /** A lost reply leaves open whether it happened: it writes. */
  readonly mayHaveHappened?: boolean;
  /** Default 30,000. */
  readonly withinMs?: number;
}

/** Connections to one database. Constructing it does no I/O. */
export class Connections implements AsyncDisposable {
  readonly address: Address;
  readonly #options: ConnectionsOptions;
  readonly #clients = new Set<PoolClient>();
  readonly #transactions = new Set<Transaction>();
  #pool: Promise<Pool> | undefined;
  #isClosed = false;

  /** @throws ConfigError the URL cannot be right */
  constructor(options: ConnectionsOptions) {
    this.address = parseAddress(options.url);
    this.#options = options;
  }

  /**
   * Runs one statement as a transaction of its own.
   * @throws TransientError | OutcomeUnknownError | ConfigError as `failureOf` has it
   */
  async run(text: string, values: unknown[], options: StatementOptions): Promise<QueryResult> {
    const { doing, signal, mayHaveHappened = false, withinMs = STATEMENT_WITHIN_MS } = options;
    const client = await this.#connect(doing, signal);
    let isUnusable = false;
    const giveUp = () => {
      isUnusable = true;
      client.connection.stream.destroy();
    };
    try {
      return await awaitReply(client.query(text, values), { signal, withinMs, giveUp });
    } catch (error) {
      // The session is over before the driver notices: nobody else may be given this connection.
      if (isSessionOver(error)) isUnusable = true;
      if (signal.aborted) throw error;
      throw failureOf(error, { address: this.address, doing, mayHaveHappened });
    } finally {
      client.release(isUnusable);
    }
  }

  /** A transaction on a connection of its own. @throws TransientError | ConfigError */
  async begin(limits: TransactionLimits, signal: AbortSignal): Promise<Transaction> {
    const client = await this.#connect("connect", signal);
    const transaction: Transaction = new Transaction(client, this.address, limits, () =>
      this.#transactions.delete(transaction),
    );
    this.#transactions.add(transaction);
    return transaction;
  }

  /** Ends what is open, without effect. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const pool = await this.#pool?.catch(() => undefined);
    for (const transaction of [...this.#transactions]) transaction.destroy();
    const cut = setTimeout(() => {
      for (const client of this.#clients) client.connection.stream.destroy();
    }, CLOSE_WITHIN_MS);
    await pool?.end();
    clearTimeout(cut);
  }

  async #connect(doing: string, signal: AbortSignal): Promise<PoolClient> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new Error(`the connections to ${this.address.label} are closed`);
    let connecting: Promise<PoolClient> | undefined;
    try {
      this.#pool ??= this.#makePool();
      const pool = await this.#pool;
      connecting = pool.connect();
      const withinMs = this.address.connectTimeoutMs * 2;
      return await awaitReply(connecting, { signal, withinMs, giveUp: () => undefined });
    } catch (error) {
      connecting?.then((late) => late.release()).catch(() => undefined);
      if (signal.aborted) throw error;
      throw failureOf(error, { address: this.address, doing });
    }
  }

  async #makePool(): Promise<Pool> {
    const { address } = this;
    const password = this.#options.password ?? address.password;
    try {
      const [{ default: pg }, ssl] = await Promise.all([loadPg(), tlsOptions(address)]);
      const pool = new pg.Pool({
        host: address.host,
        port: address.port,
        database: address.database,
        user: address.user,
        ...(password !== undefined && { password }),
        ssl,
        ...(address.directTls && { sslnegotiation: "direct" }),
        enableChannelBinding: address.channelBinding,
        ...(address.options !== undefined && { options: address.options }),
        application_name: APPLICATION_NAME,
        connectionTimeoutMillis: address.connectTimeoutMs,
        keepAlive: true,
        keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
        max: this.#options.max,
        Client: closingClient(pg.Client),
        idleTimeoutMillis: IDLE_CONNECTION_MS,
        // A store that its owner does not close does not keep the process alive.
        allowExitOnIdle: true,
      });
      pool.on("connect", (client) => {
        this.#clients.add(client);
        // A connection that dies tells it to the statement under way; when there is none, nobody needs to know.
        client.on("error", () => undefined);
      });
      pool.on("remove", (client) => this.#clients.delete(client));
      pool.on("error", () => undefined);
      return pool;
    } catch (error) {
      this.#pool = undefined;
      throw error;
    }
  }
}
