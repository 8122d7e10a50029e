// Reads and decodes the first records of the next batch while the batch before it is written and recorded, within a
// fixed number of chunks. What was read stays here until its range is really read, which happens only when its plan is
// durable (invariant 1); so does an error, which appears there and then. A range that is read in another way than was
// expected (a part of it, without some records, a second time) is read anew.
import { othersFirst } from "../clock.ts";
import { type OffsetRange, partitionKey } from "../contract/positions.ts";
import type { ReadOptions, RecordChunk, SourceReader } from "../contract/source.ts";

/** Over all ranges. A chunk is at most a megabyte, and often much less: a batch of 10,000 records of files has 20. */
const MOST_CHUNKS = 24;

/** An open source's records, some of them early. Closing it gives up what was begun, and leaves the source open. */
export class ReadAhead implements Pick<SourceReader, "read" | "readRaw">, AsyncDisposable {
  readonly #reader: Pick<SourceReader, "read" | "readRaw">;
  readonly #begun = new Map<string, BegunRange>();
  /** Whether nothing more is to be begun; a new one for each batch. */
  #round = { isOver: true };
  #isClosed = false;
  readonly #mostChunks: number;

  /** @param mostChunks 0: nothing is read ahead */
  constructor(reader: Pick<SourceReader, "read" | "readRaw">, mostChunks = MOST_CHUNKS) {
    this.#reader = reader;
    this.#mostChunks = mostChunks;
  }

  /**
   * Begins to read ranges that will be read next, in their order, until there is no room or one of them is really read.
   * Gives up what was begun for others. Never fails.
   */
  expect(ranges: readonly OffsetRange[]): void {
    this.#giveUp();
    if (this.#isClosed) return;
    const round = { isOver: false };
    this.#round = round;
    void this.#readInto(round, ranges);
  }

  /** As SourceReader's; what has been read ahead comes first. */
  read(range: OffsetRange, options: ReadOptions): AsyncIterable<RecordChunk<unknown>> {
    this.#round.isOver = true;
    const key = partitionKey(range);
    const begun = this.#begun.get(key);
    this.#begun.delete(key);
    const isSame = begun?.range.fromOffset === range.fromOffset && begun.range.untilOffset === range.untilOffset;
    if (begun !== undefined && isSame && options.skip.size === 0) return begun.handOut(options.signal);
    begun?.giveUp();
    return this.#reader.read(range, options);
  }

  readRaw(...asked: Parameters<SourceReader["readRaw"]>): ReturnType<SourceReader["readRaw"]> {
    return this.#reader.readRaw(...asked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#giveUp();
  }

  async #readInto(round: { isOver: boolean }, ranges: readonly OffsetRange[]): Promise<void> {
    let chunks = 0;
    for (const range of ranges) {
      if (range.fromOffset === range.untilOffset) continue;
      if (round.isOver || chunks === this.#mostChunks) return;
      const begun = new BegunRange(this.#reader, range);
      this.#begun.set(partitionKey(range), begun);
      for (;;) {
        const found = await begun.readChunk();
        if (found === "failed" || round.isOver) return;
        if (found === "end") break;
        if (++chunks === this.#mostChunks) return;
        // What the batch before waits for goes first: decoding all at once would hold up its commit and its append.
        await othersFirst();
        if (round.isOver) return;
      }
    }
  }

  #giveUp(): void {
    this.#round.isOver = true;
    for (const begun of this.#begun.values()) begun.giveUp();
    this.#begun.clear();
  }
}

/** A range that was begun early: what came of it, in order. */
class BegunRange {
  readonly range: OffsetRange;
  readonly #controller = new AbortController();
  readonly #iterator: AsyncGenerator<RecordChunk<unknown>, undefined>;
  /** Not handed out yet; the last one may be under way. */
  readonly #results: Promise<IteratorResult<RecordChunk<unknown>, undefined>>[] = [];

  constructor(reader: Pick<SourceReader, "read">, range: OffsetRange) {
    this.range = range;
    const options = { signal: this.#controller.signal, skip: new Set<bigint>() };
    this.#iterator = chunksOf(reader, range, options);
  }

  /** Reads one chunk more. Why it failed is said to whoever really reads the range. */
  async readChunk(): Promise<"chunk" | "end" | "failed"> {
    const result = this.#iterator.next();
    this.#results.push(result);
    try {
      return (await result).done ? "end" : "chunk";
    } catch {
      return "failed";
    }
  }

  /** Hands everything out, and then reads on. The signal ends it as it would have from the beginning. */
  async *handOut(signal: AbortSignal): AsyncGenerator<RecordChunk<unknown>> {
    const stop = () => this.#controller.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) stop();
      for (;;) {
        signal.throwIfAborted();
        const result = await (this.#results.shift() ?? this.#iterator.next());
        if (result.done) return;
        yield result.value;
      }
    } finally {
      signal.removeEventListener("abort", stop);
      await this.#iterator.return(undefined);
    }
  }

  giveUp(): void {
    this.#controller.abort(new Error("it was read ahead for nothing"));
    this.#results.length = 0;
    this.#iterator.return(undefined).catch(() => {});
  }
}

/** Begins when it is asked for the first chunk; whatever a source throws comes as a rejection. */
async function* chunksOf(
  reader: Pick<SourceReader, "read">,
  range: OffsetRange,
  options: ReadOptions,
): AsyncGenerator<RecordChunk<unknown>, undefined> {
  yield* reader.read(range, options);
}
