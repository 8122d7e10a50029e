// One `copy … from stdin` as the driver's query queue takes it: the bytes are ready, so they follow the statement at
// once, without waiting for the server's consent. It drops them where it refuses the statement, and what is left of
// them after a failure, and the connection can be used again.
// (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY)
import type { Connection, Submittable } from "pg";

/** What the driver's connection has beside its types. */
interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Copies ready bytes; `done` settles when the server has taken all of them, or none. */
export class CopyIn implements Submittable {
  readonly done: Promise<void>;
  readonly #statement: string;
  readonly #chunks: readonly Uint8Array[];
  #resolve: () => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  /** @param statement ends with `from stdin`, and may have others before it; the bytes are in its format */
  constructor(statement: string, chunks: readonly Uint8Array[]) {
    this.#statement = statement;
    this.#chunks = chunks;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever gave up waiting does not hear of the end of the connection.
    this.done.catch(() => undefined);
  }

  submit(given: Connection): void {
    const connection = given as Connection & CopyConnection;
    const { stream } = connection;
    // In one piece, as far as the system takes it.
    stream.cork();
    connection.query(this.#statement);
    // The driver takes Buffers; these are views.
    for (const { buffer, byteOffset, byteLength } of this.#chunks) {
      connection.sendCopyFromChunk(Buffer.from(buffer, byteOffset, byteLength));
    }
    connection.endCopyFrom();
    stream.uncork();
  }

  handleCopyInResponse(): void {}

  handleCommandComplete(): void {}

  handleError(error: unknown): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve();
  }
}
