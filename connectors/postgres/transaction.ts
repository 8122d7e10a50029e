// One open transaction on one connection; it begins with the first statement. Everything that must hold in it is set
// by `set local`, so that a pooler may hand the connection to others between transactions. What became of a commit
// whose reply is lost is unknown, and is said so; a commit that the server turned into a rollback is never taken for
// one.
import type { PoolClient, QueryResult } from "pg";
import type { Address } from "./address.ts";
import { awaitReply } from "./await-reply.ts";
import { CopyIn } from "./copy-in.ts";
import { type Doing, failureOf, isSessionOver } from "./failures.ts";

/** Waiting for the reply goes on so long past the server's own limit, which gives the better error. */
const GRACE_MS = 5_000;

export interface TransactionLimits {
  /** For a lock that another session holds. */
  readonly lockTimeoutMs: number;
  /** For one statement. */
  readonly statementTimeoutMs: number;
  /** Between two statements; then the server ends the session, so that a frozen process holds nothing for ever. */
  readonly idleTimeoutMs: number;
  /** How the session is found by others while the transaction is open: a–z, 0–9 and spaces, at most 63. */
  readonly applicationName: string;
}

/** A transaction; disposing of it before `commit` rolls it back. */
export class Transaction implements AsyncDisposable {
  readonly #client: PoolClient;
  readonly #address: Address;
  readonly #limits: TransactionLimits;
  readonly #onEnd: () => void;
  /** Whether the server has been told to begin. */
  #hasBegun = false;
  #isOver = false;
  #isBroken = false;
  /** Why the session ended while nothing was asked of it. */
  #lost: { readonly reason: unknown } | undefined;
  readonly #onLost = (reason: unknown) => {
    this.#lost ??= { reason };
  };

  /** Only for `Connections`, which gives it a connection of its own and takes it back in `onEnd`. */
  constructor(client: PoolClient, address: Address, limits: TransactionLimits, onEnd: () => void) {
    this.#client = client;
    this.#address = address;
    this.#limits = limits;
    this.#onEnd = onEnd;
    client.on("error", this.#onLost);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws what `failureOf` makes of it, with the driver's error as its cause */
  async query(text: string, values: unknown[], { doing, signal }: { doing: string; signal: AbortSignal }) {
    await this.#begin(signal);
    return await this.#ask<QueryResult>(doing, signal, () => this.#client.query(text, values));
  }

  /**
   * Copies ready bytes into a table. When it is the first thing, the transaction begins in the same message, of which
   * the server runs nothing after a failure.
   * @throws the server's own error, which tells line and column
   */
  async copyIn(statement: string, chunks: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const copy = new CopyIn(this.#hasBegun ? statement : `${this.#beginning}; ${statement}`, chunks);
    await this.#reply(signal, () => {
      this.#hasBegun = true;
      this.#client.query(copy);
      return copy.done;
    });
  }

  /**
   * @throws OutcomeUnknownError the reply was lost
   * @throws TransientError the server rolled it back instead
   */
  async commit(doing: string, signal: AbortSignal): Promise<void> {
    await this.#begin(signal);
    let command: string;
    try {
      ({ command } = await this.#ask<QueryResult>(doing, signal, () => this.#client.query("commit"), true));
    } catch (error) {
      this.destroy();
      throw error;
    }
    this.#end(false);
    // A transaction that had failed before commits to nothing, without an error.
    if (command !== "COMMIT") throw this.failure(new Error("the server rolled it back"), { doing });
  }

  /** Ends it without effect; never fails, since the server rolls back what it hears no more of. */
  async rollback(): Promise<void> {
    if (this.#isOver) return;
    if (this.#hasBegun && !this.#isBroken && this.#lost === undefined) {
      const { signal } = new AbortController();
      await this.#reply(signal, () => this.#client.query("rollback"), GRACE_MS).catch(() => undefined);
    }
    this.#end(this.#isBroken || this.#lost !== undefined);
  }

  /** Cuts the connection; for what cannot wait. */
  destroy(): void {
    this.#isBroken = true;
    this.#end(true);
  }

  /** An error of the driver in the words of this package. */
  failure(error: unknown, { doing, mayHaveHappened = false }: Omit<Doing, "address">): Error {
    return failureOf(error, { address: this.#address, doing, mayHaveHappened });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rollback();
  }

  async #begin(signal: AbortSignal): Promise<void> {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    await this.#ask("begin a transaction", signal, () => this.#client.query(this.#beginning));
  }

  get #beginning(): string {
    const { lockTimeoutMs, statementTimeoutMs, idleTimeoutMs, applicationName } = this.#limits;
    return `begin isolation level read committed;
      set local lock_timeout = ${lockTimeoutMs};
      set local statement_timeout = ${statementTimeoutMs};
      set local idle_in_transaction_session_timeout = ${idleTimeoutMs};
      set local application_name = '${applicationName}'`;
  }

  async #ask<T>(doing: string, signal: AbortSignal, send: () => Promise<T>, mayHaveHappened = false): Promise<T> {
    const wasSent = this.#lost === undefined;
    try {
      return await this.#reply(signal, send);
    } catch (error) {
      if (signal.aborted) throw error;
      throw this.failure(error, { doing, mayHaveHappened: mayHaveHappened && wasSent });
    }
  }

  async #reply<T>(signal: AbortSignal, send: () => Promise<T>, withinMs?: number): Promise<T> {
    signal.throwIfAborted();
    if (this.#isOver) throw this.failure(new Error("the transaction is over"), { doing: "go on in it" });
    if (this.#lost !== undefined) throw this.#lost.reason;
    const deadlineMs = withinMs ?? this.#limits.statementTimeoutMs + GRACE_MS;
    try {
      return await awaitReply(send(), { signal, withinMs: deadlineMs, giveUp: () => this.destroy() });
    } catch (error) {
      if (isSessionOver(error)) this.#isBroken = true;
      throw error;
    }
  }

  #end(isUnusable: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#client.off("error", this.#onLost);
    if (isUnusable) this.#client.connection.stream.destroy();
    this.#client.release(isUnusable);
    this.#onEnd();
  }
}
