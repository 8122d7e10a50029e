// A job thread's rows on their way to the main thread: gathered until a message is worth its cost, never more under way
// than the main thread gives credit for. Rows of one task stay in order.
import { type Clock, systemClock } from "../../clock.ts";
import type { NormalizedJob } from "../../contract/job.ts";
import type { EncodedRows, RowEncoder } from "../../contract/sink.ts";
import { messageOf, PipelineError } from "../../errors.ts";
import { PlainRowEncoder } from "../../row-sink.ts";
import { raceAbort } from "../deadline.ts";
import { asSent, whyNotCloned } from "./crossing.ts";
import type { FromThread, TaskOrder } from "./messages.ts";
import { cloned, handedOver, type Transfer } from "./transfer.ts";

/** A message costs about as much as encoding a few rows: this many bytes make it small beside them. */
const MESSAGE_BYTES = 128 * 1024;
/** Progress without rows is told after so many flushes, or after a time: so the main thread knows that it goes on. */
const FLUSHES_PER_PROGRESS = 8;
const TELL_EVERY_MS = 1_000;

/** Sends a message to the main thread. @throws DataCloneError a part of it cannot cross */
export type Send = (message: FromThread, buffers: readonly ArrayBuffer[]) => void;

/** The rows of one task. */
export class OutgoingRows {
  readonly #order: TaskOrder;
  readonly #send: Send;
  readonly #signal: AbortSignal;
  readonly #encoder: RowEncoder<unknown>;
  /** Whether the rows cross as the pipeline gave them, because the main thread is to work on them. */
  readonly #isPlain: boolean;
  readonly #handsOver: boolean;
  /** Of the rows that are not sent yet, where they are plain: the record that each came with. */
  #offsets: bigint[] = [];
  #gathered: EncodedRows[] = [];
  #gatheredBytes = 0;
  #buffers: ArrayBuffer[] = [];
  #flushes = 0;
  readonly #clock: Clock;
  #toldMs: number;
  #creditBytes: number;
  #wake: (() => void) | undefined;

  constructor(job: NormalizedJob, order: TaskOrder, send: Send, signal: AbortSignal, clock = systemClock) {
    this.#order = order;
    this.#send = send;
    this.#signal = signal;
    this.#creditBytes = order.creditBytes;
    this.#encoder = job.combine === undefined ? job.sink.encoder() : new PlainRowEncoder<unknown>();
    this.#isPlain = this.#encoder instanceof PlainRowEncoder;
    this.#clock = clock;
    this.#toldMs = clock.elapsed();
    this.#handsOver = !this.#isPlain && job.sink.encodesToBytes === true;
  }

  /** @throws whatever the encoder throws; PipelineError it is to cross as it is, and cannot */
  add(row: unknown, offsetOf: () => bigint): void {
    if (this.#isPlain) {
      const offset = offsetOf();
      this.#encoder.add(this.#asSent(row, offset));
      this.#offsets.push(offset);
    } else this.#encoder.add(row);
  }

  /** Between chunks of records: sends what there is when it is enough, and waits while too much is under way. */
  async flush(offset: bigint): Promise<void> {
    this.#gather();
    if (this.#gatheredBytes >= MESSAGE_BYTES) await this.#sendRows(offset);
    else if (++this.#flushes % FLUSHES_PER_PROGRESS === 0 || this.#clock.elapsed() - this.#toldMs >= TELL_EVERY_MS) {
      this.#toldMs = this.#clock.elapsed();
      this.#send({ is: "progress", id: this.#order.id, offset }, []);
    }
  }

  /** Sends the rest. */
  async end(): Promise<void> {
    this.#gather();
    if (this.#gathered.length > 0) await this.#sendRows(this.#order.range.untilOffset);
  }

  /** So much has been written. */
  credit(bytes: number): void {
    this.#creditBytes += bytes;
    if (this.#creditBytes > 0) this.#wake?.();
  }

  #gather(): void {
    const encoded = this.#encoder.take();
    if (encoded === undefined) return;
    const { sizeBytes, buffers }: Transfer = this.#handsOver ? handedOver(encoded) : cloned(encoded.rowCount);
    this.#gathered.push(encoded);
    this.#gatheredBytes += sizeBytes;
    this.#buffers.push(...buffers);
  }

  async #sendRows(offset: bigint): Promise<void> {
    if (this.#creditBytes <= 0) {
      const credited = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await raceAbort(credited, this.#signal);
      this.#wake = undefined;
    }
    const sizeBytes = this.#gatheredBytes;
    const message = { is: "rows", id: this.#order.id, offset, rows: { encoded: this.#gathered, sizeBytes } } as const;
    try {
      this.#send(message, this.#buffers);
    } catch (cause) {
      const plain = this.#isPlain ? this.#gathered.flatMap(({ data }) => data as readonly unknown[]) : [];
      const bad = plain.findIndex((row) => whyNotCloned(row) !== undefined);
      throw this.#cannotCross(cause, this.#offsets[bad]);
    }
    this.#creditBytes -= sizeBytes;
    this.#offsets = [];
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#buffers = [];
  }

  #asSent(row: unknown, offset: bigint): unknown {
    try {
      return asSent(row);
    } catch (cause) {
      throw this.#cannotCross(cause, offset);
    }
  }

  /** @param offset of the record that the row came with, where that is known */
  #cannotCross(cause: unknown, offset: bigint | undefined): PipelineError {
    const { topic, partition, fromOffset, untilOffset } = this.#order.range;
    const where = `${topic}:${partition}:${offset ?? `${fromOffset}-${untilOffset}`}`;
    return new PipelineError(`a row at ${where} cannot be handed to the main thread: ${messageOf(cause)}`, {
      code: "NOT_CLONEABLE",
      cause,
      hint: "with threads, rows for combine and function sinks must be plain data; or run it with threads: 1",
    });
  }
}
