// Prints each row as one JSON line on stdout, a batch at a time, when the batch commits. At-least-once: what was
// printed cannot be found again. Bigints are printed as strings. A batch's text is held in memory until its commit.
import {
  type BatchWrite,
  ConfigError,
  type EncodedRows,
  messageOf,
  type RowEncoder,
  type Sink,
} from "../../runtime/index.ts";

/** The part of a Writable that is used. */
export interface OutputStream {
  write(chunk: Uint8Array, done: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

export interface ConsoleSinkOptions {
  /** Default and only: one JSON text a line. */
  readonly format?: "json";
  /** Default: stdout. */
  readonly stream?: OutputStream;
}

/** Prints rows. */
export function consoleSink({ stream = process.stdout }: ConsoleSinkOptions = {}): Sink<unknown> {
  return {
    kind: "console",
    guarantee: "at-least-once",
    encodesToBytes: true,
    encoder: () => new ConsoleEncoder(),
    async open(_context, signal) {
      signal.throwIfAborted();
      return {
        begin: async () => new ConsoleBatch(stream),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
  };
}

class ConsoleEncoder implements RowEncoder<unknown> {
  private lines: string[] = [];

  add(row: unknown): void {
    const line: string | undefined = JSON.stringify(row, bigintsAsStrings);
    if (line === undefined) throw new TypeError(`a row that is ${typeof row} cannot be printed as JSON`);
    this.lines.push(line);
  }

  take(): EncodedRows | undefined {
    const { lines } = this;
    if (lines.length === 0) return undefined;
    this.lines = [];
    return { rowCount: lines.length, data: new TextEncoder().encode(`${lines.join("\n")}\n`) };
  }
}

class ConsoleBatch implements BatchWrite {
  private readonly stream: OutputStream;
  private chunks: Uint8Array[] = [];

  constructor(stream: OutputStream) {
    this.stream = stream;
  }

  async write({ data }: EncodedRows): Promise<void> {
    this.chunks.push(data as Uint8Array);
  }

  async commit(): Promise<void> {
    const { chunks } = this;
    this.chunks = [];
    // A stream that fails also says so by an event, which would end the process if nobody listened.
    const alreadyTold = () => undefined;
    this.stream.on("error", alreadyTold);
    try {
      for (const chunk of chunks) await print(this.stream, chunk);
    } catch (cause) {
      throw new ConfigError(`cannot print rows: ${messageOf(cause)}`, {
        code: "OUTPUT_CLOSED",
        cause,
        hint: "whatever read the output has gone; the batch is not recorded and will be printed again",
      });
    } finally {
      this.stream.off("error", alreadyTold);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.chunks = [];
  }
}

/** Resolves when the stream has passed the chunk on, so that a slow reader slows the job down. */
function print(stream: OutputStream, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

function bigintsAsStrings(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
