// The log that the simulated job reads: it grows, gets partitions, has gaps, and may forget its beginning. The world
// keeps a copy of all that was ever in it, to judge the output by.
import {
  comparePartitions,
  type OffsetRange,
  type PartitionBounds,
  type Position,
  type TopicPartition,
} from "../../runtime/contract/positions.ts";
import type { RawRecord } from "../../runtime/contract/record.ts";
import type { OffsetSpec, ReadOptions, RecordChunk, Source, SourceReader } from "../../runtime/contract/source.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { SimulatedWorld } from "./world.ts";

const TOPIC = "orders";
const MARK = "the-same-log";

/** What becomes of a record: a row, nothing (no value), or a poison record of one kind or the other. */
export type RecordKind = "good" | "tombstone" | "undecodable" | "throws";

export interface SimulatedRecord {
  readonly offset: bigint;
  readonly kind: RecordKind;
}

/** What the simulated pipeline gets. */
export interface InputRecord extends TopicPartition, SimulatedRecord {}

/** One partition: `records` in order, with gaps between their offsets. */
export interface SimulatedPartition {
  earliest: bigint;
  latest: bigint;
  readonly records: SimulatedRecord[];
}

/** The topic itself, on its servers. */
export class SimulatedTopic {
  readonly partitions: SimulatedPartition[] = [];

  addPartition(): void {
    this.partitions.push({ earliest: 0n, latest: 0n, records: [] });
  }

  /** @param gap offsets left out before the record, as compaction leaves them */
  append(partition: number, kind: RecordKind, gap = 0n): void {
    const log = this.partition(partition);
    log.records.push({ offset: log.latest + gap, kind });
    log.latest += gap + 1n;
  }

  /** Forgets what is below `earliest`. */
  trim(partition: number, earliest: bigint): void {
    const log = this.partition(partition);
    if (earliest > log.earliest) log.earliest = earliest;
  }

  partition(number: number): SimulatedPartition {
    const log = this.partitions[number];
    if (log === undefined) throw new RangeError(`there is no partition ${number}`);
    return log;
  }

  get bounds(): PartitionBounds[] {
    return this.partitions
      .map(({ earliest, latest }, partition) => ({ topic: TOPIC, partition, earliest, latest }))
      .sort(comparePartitions);
  }

  /** All records of a range, whether they are still there or not. */
  everIn({ partition, fromOffset, untilOffset }: OffsetRange): SimulatedRecord[] {
    return this.partition(partition).records.filter(({ offset }) => offset >= fromOffset && offset < untilOffset);
  }
}

/** The source as one process opens it. */
export function simulatedSource(
  world: SimulatedWorld,
  process: SimulatedProcess,
  startingOffsets: OffsetSpec,
  failOnDataLoss: boolean,
): Source<InputRecord> {
  return {
    kind: "simulated",
    startingOffsets,
    failOnDataLoss,
    open: (_context, signal) =>
      process.request({
        name: "source.open",
        changes: false,
        signal,
        land: () => new SimulatedReader(world, process),
      }),
  };
}

class SimulatedReader implements SourceReader<InputRecord> {
  readonly #world: SimulatedWorld;
  readonly #process: SimulatedProcess;
  readonly waitForMore?: (ends: readonly Position[], signal: AbortSignal) => Promise<void>;

  constructor(world: SimulatedWorld, process: SimulatedProcess) {
    this.#world = world;
    this.#process = process;
    if (world.random.chance(0.5)) this.waitForMore = (ends, signal) => this.#waitForMore(ends, signal);
  }

  partitions(signal: AbortSignal): Promise<readonly PartitionBounds[]> {
    return this.#ask("source.partitions", signal, () => this.#world.topic.bounds);
  }

  offsetsAtTime(_timestampMs: number, signal: AbortSignal): Promise<readonly Position[]> {
    return this.#ask("source.offsetsAtTime", signal, () =>
      this.#world.topic.bounds.map(({ topic, partition, latest }) => ({ topic, partition, offset: latest })),
    );
  }

  mark(positions: readonly Position[], signal: AbortSignal): Promise<readonly Position[]> {
    return this.#ask("source.mark", signal, () => positions.map((position) => ({ ...position, mark: MARK })));
  }

  mismatches(
    positions: readonly Position[],
    signal: AbortSignal,
  ): Promise<readonly { position: Position; reason: string }[]> {
    return this.#ask("source.mismatches", signal, () =>
      positions
        .filter(({ mark }) => mark !== MARK)
        .map((position) => ({ position, reason: `its mark is ${position.mark}` })),
    );
  }

  async #waitForMore(ends: readonly Position[], signal: AbortSignal): Promise<void> {
    const { topic, random } = this.#world;
    const isMore = () => ends.some(({ partition, offset }) => topic.partition(partition).latest > offset);
    while (!random.chance(0.01) && !(await this.#ask("source.waitForMore", signal, isMore))) {
      await this.#process.clock.sleep(random.between(1, 500), signal);
    }
  }

  async *read(range: OffsetRange, { signal, skip }: ReadOptions): AsyncIterable<RecordChunk<InputRecord>> {
    for (let from = range.fromOffset; from < range.untilOffset; ) {
      const rest = { ...range, fromOffset: from };
      const { chunk, next, poison } = await this.#ask("source.read", signal, () => this.#chunkOf(rest, skip));
      yield chunk;
      if (poison !== undefined) {
        throw new this.#world.runtime.PoisonRecordError({ ...range, offset: poison }, "undecodable");
      }
      from = next;
    }
  }

  readRaw(at: TopicPartition & { readonly offset: bigint }, signal: AbortSignal): Promise<RawRecord | undefined> {
    return this.#ask("source.readRaw", signal, () => ({ ...at, timestamp: -1, key: null, value: null, headers: [] }));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#ask("source.close", undefined, () => {});
  }

  /** At most three records from the beginning of a range; `poison`: the undecodable one behind them. */
  #chunkOf(range: OffsetRange, skip: ReadonlySet<bigint>) {
    const recordsAtOnce = 3;
    const { topic, ledger, runtime } = this.#world;
    if (this.#process.commitMode !== "batch") ledger.onUnplannedRead(range);
    const { earliest } = topic.partition(range.partition);
    if (range.fromOffset < earliest) {
      const untilOffset = earliest < range.untilOffset ? earliest : range.untilOffset;
      throw new runtime.DataLossError(`the log begins at ${earliest}`, [{ ...range, untilOffset }]);
    }
    const records: InputRecord[] = [];
    let tombstones = 0;
    for (const { offset, kind } of topic.everIn(range)) {
      if (skip.has(offset)) continue;
      if (kind === "undecodable") return { chunk: { records, tombstones }, next: offset, poison: offset };
      if (kind === "tombstone") tombstones++;
      else records.push({ topic: TOPIC, partition: range.partition, offset, kind });
      if (records.length + tombstones === recordsAtOnce) {
        return { chunk: { records, tombstones }, next: offset + 1n, poison: undefined };
      }
    }
    return { chunk: { records, tombstones }, next: range.untilOffset, poison: undefined };
  }

  #ask<T>(name: string, signal: AbortSignal | undefined, land: () => T): Promise<T> {
    return this.#process.request({ name, changes: false, signal, land });
  }
}
