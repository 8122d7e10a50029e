// The open file source. It looks at the folder whenever it is asked for the partitions, and reads lines from where the
// index says they are. It writes nothing but its own index, and a file that no longer holds a range is data loss, never
// less data.
import type { FileHandle } from "node:fs/promises";
import {
  ConfigError,
  DataLossError,
  type Deserializer,
  type OffsetRange,
  type PartitionBounds,
  PoisonRecordError,
  type Position,
  type RawRecord,
  type ReadOptions,
  type RecordChunk,
  RecordDecoder,
  type SourceReader,
  type SourceRecord,
  type TopicPartition,
} from "../../runtime/index.ts";
import { asTransient, hasErrno } from "./errno.ts";
import { decodeLines, lineValues } from "./line-values.ts";
import { compareMark, isStartMark } from "./log-mark.ts";
import type { PartitionFile } from "./partition-file.ts";
import { PartitionFolder } from "./partition-folder.ts";
import { findLineAtTime } from "./time-search.ts";

const NOTHING_SKIPPED: ReadonlySet<bigint> = new Set();

export interface FileReaderOptions<V> {
  /** Absolute. */
  readonly dir: string;
  readonly topic: string;
  readonly value: Deserializer<V>;
  readonly tombstones: boolean;
  readonly timestampOf: ((value: V) => number) | undefined;
  readonly maxLineBytes: number;
}

/** A partition's file, open. */
interface OpenedFile extends AsyncDisposable {
  readonly file: PartitionFile;
  readonly handle: FileHandle;
}

/** Reads the partitions of one folder. */
export class FileSourceReader<V> implements SourceReader<SourceRecord<V, null>> {
  private readonly options: FileReaderOptions<V>;
  private readonly folder: PartitionFolder;

  constructor(options: FileReaderOptions<V>) {
    this.options = options;
    this.folder = new PartitionFolder(options.dir, options.maxLineBytes);
  }

  async partitions(signal: AbortSignal): Promise<readonly PartitionBounds[]> {
    const { topic } = this.options;
    const found = await this.folder.list(signal);
    return found.map(({ partition, file }) => ({ topic, partition, earliest: 0n, latest: BigInt(file.lines) }));
  }

  async offsetsAtTime(timestampMs: number, signal: AbortSignal): Promise<readonly Position[]> {
    const { topic, timestampOf } = this.options;
    if (timestampOf === undefined) {
      throw new ConfigError(`the files of topic "${topic}" have no timestamps`, {
        hint: "say where a value has its time: fileSource({ timestamp: (value) => …, … }), in ms",
      });
    }
    const positions: Position[] = [];
    for (const { partition } of await this.folder.list(signal)) {
      await using opened = await this.open({ topic, partition }, signal);
      if (opened === undefined) continue;
      const timeOf = (buffer: Buffer, start: number, end: number) => this.timeOf(partition, buffer, start, end);
      const line = await findLineAtTime(opened.file, opened.handle, timestampMs, timeOf, signal);
      positions.push({ topic, partition, offset: BigInt(line) });
    }
    return positions;
  }

  async mark(positions: readonly Position[], signal: AbortSignal): Promise<readonly Position[]> {
    const marked: Position[] = [];
    for (const { topic, partition, offset } of positions) {
      const file = await this.look({ topic, partition }, signal);
      if (file === undefined || offset > BigInt(file.lines)) {
        throw this.lost({ topic, partition, fromOffset: 0n, untilOffset: offset }, file);
      }
      try {
        marked.push({ topic, partition, offset, mark: await file.mark(Number(offset), signal) });
      } catch (error) {
        throw asTransient(`cannot read ${file.path}`, error);
      }
    }
    return marked;
  }

  async mismatches(
    positions: readonly Position[],
    signal: AbortSignal,
  ): Promise<readonly { position: Position; reason: string }[]> {
    const found: { position: Position; reason: string }[] = [];
    for (const position of positions) {
      if (position.mark === undefined || isStartMark(position.mark)) continue;
      const reason = await this.mismatch(position, position.mark, signal);
      if (reason !== undefined) found.push({ position, reason });
    }
    return found;
  }

  async *read(range: OffsetRange, { signal, skip }: ReadOptions): AsyncGenerator<RecordChunk<SourceRecord<V, null>>> {
    const { topic, partition, untilOffset } = range;
    let next = range.fromOffset;
    if (next >= untilOffset) return;
    await using opened = await this.open(range, signal);
    if (opened === undefined) throw this.lost(range, undefined);
    const { file, handle } = opened;
    const decoder = this.decoder(partition, skip);
    const end = BigInt(file.lines) < untilOffset ? BigInt(file.lines) : untilOffset;
    try {
      const fromByte = next < end ? await file.locate(handle, Number(next), signal) : 0;
      const untilByte = next < end ? file.lineIndex.byteAtOrAfter(Number(end)) : 0;
      for await (const block of file.blocks(handle, fromByte, untilByte, signal)) {
        const { offset, byte } = decodeLines(decoder, block, next, end);
        next = offset;
        file.remember({ line: Number(offset), byte });
        yield await decoder.take();
        if (next === end) break;
      }
    } catch (error) {
      throw asTransient(`cannot read ${file.path}`, error);
    }
    if (next < untilOffset) throw this.lost({ topic, partition, fromOffset: next, untilOffset }, file);
  }

  async readRaw(
    { topic, partition, offset }: TopicPartition & { readonly offset: bigint },
    signal: AbortSignal,
  ): Promise<RawRecord | undefined> {
    await using opened = await this.open({ topic, partition }, signal);
    if (opened === undefined || offset < 0n || offset >= BigInt(opened.file.lines)) return undefined;
    const { file, handle } = opened;
    const fromByte = await file.locate(handle, Number(offset), signal);
    for await (const block of file.blocks(handle, fromByte, file.lineIndex.endByte, signal)) {
      for (const { start, end, absent } of lineValues(block)) {
        const value = absent ? null : new Uint8Array(block.buffer.subarray(start, end));
        const time = absent ? undefined : await this.timeOf(partition, block.buffer, start, end);
        return { topic, partition, offset, timestamp: time ?? -1, key: null, value, headers: [] };
      }
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder.save();
  }

  /** A partition's file with its index brought up to date; undefined when there is no such file. */
  private async look({ topic, partition }: TopicPartition, signal: AbortSignal): Promise<PartitionFile | undefined> {
    signal.throwIfAborted();
    if (topic !== this.options.topic) return undefined;
    const file = this.folder.file(partition);
    try {
      await file.refresh(signal);
      return file;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asTransient(`cannot read ${file.path}`, error);
    }
  }

  /** The same, open. */
  private async open(at: TopicPartition, signal: AbortSignal): Promise<OpenedFile | undefined> {
    const file = await this.look(at, signal);
    if (file === undefined) return undefined;
    try {
      const handle = await file.open();
      return { file, handle, [Symbol.asyncDispose]: () => handle.close() };
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw asTransient(`cannot read ${file.path}`, error);
    }
  }

  private async mismatch(position: Position, mark: string, signal: AbortSignal): Promise<string | undefined> {
    await using opened = await this.open(position, signal);
    if (opened === undefined) return this.whyLost(position, undefined);
    const { file, handle } = opened;
    if (position.offset > BigInt(file.lines)) return this.whyLost(position, file);
    return compareMark(handle, mark, await file.locate(handle, Number(position.offset), signal));
  }

  private decoder(partition: number, skip: ReadonlySet<bigint>): RecordDecoder<V> {
    const { topic, value, tombstones, timestampOf } = this.options;
    return new RecordDecoder({ topic, partition, value, tombstones, skip, timestampOf });
  }

  /** The time that a value tells, undefined when it tells none or cannot be decoded. */
  private async timeOf(partition: number, buffer: Buffer, start: number, end: number): Promise<number | undefined> {
    const decoder = this.decoder(partition, NOTHING_SKIPPED);
    decoder.add(buffer, 0, -1, start, end);
    try {
      return (await decoder.take()).records[0]?.timestamp;
    } catch (error) {
      if (error instanceof PoisonRecordError) return undefined;
      throw error;
    }
  }

  private lost(range: OffsetRange, file: PartitionFile | undefined): DataLossError {
    return new DataLossError(this.whyLost(range, file), [range], {
      hint: "put the file back as it was, set failOnDataLoss: false to go on without it, or move the job (reset)",
    });
  }

  private whyLost({ topic, partition }: TopicPartition, file: PartitionFile | undefined): string {
    if (topic !== this.options.topic) return `the topic here is "${this.options.topic}", not "${topic}"`;
    if (file === undefined) return `${this.folder.path(partition)} is gone`;
    return `${file.path} is shorter than it was, it has ${file.lines} complete lines`;
  }
}
