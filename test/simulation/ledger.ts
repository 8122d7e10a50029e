// Watches a simulated world and knows, without asking the runtime, what may happen next: every entry at the moment it
// is durable, every read of the log, every row at the moment it is visible. What must not happen is a violation. The
// numbers in the messages are those of the protocol's points (ARCHITECTURE.md).
import type { OffsetRange, Position } from "../../runtime/contract/positions.ts";
import type { NumberedEntry } from "../../runtime/contract/store.ts";
import type { CompleteEntry, EntryBody } from "../../runtime/journal/entry.ts";
import { decodeEntry, type JournalEntry } from "../../runtime/journal/entry.ts";
import { countOffsets, type Plan, planHash } from "../../runtime/plan/plan.ts";
import { checkCommit, checkUnplannedRows } from "./at-least-once.ts";
import { type Lineage, rowOf } from "./lineage.ts";
import type { Committed, SimulatedTable } from "./simulated-sink.ts";
import type { SimulatedLog, WriterIdentity } from "./simulated-store.ts";
import type { SimulatedWorld } from "./world.ts";

export class Ledger {
  readonly #world: SimulatedWorld;
  readonly lineages = new Map<string, Lineage>();
  /** Who began the newest epoch, by log. */
  readonly #writers = new Map<SimulatedLog, WriterIdentity>();
  /** What has been copied so far, by the log it is copied to. */
  readonly #copies = new Map<SimulatedLog, { readonly epoch: bigint; readonly texts: string[] }>();
  readonly #planned: (OffsetRange & { readonly batchId: number })[] = [];
  begins = 0;

  constructor(world: SimulatedWorld) {
    this.#world = world;
  }

  /** The lineage that began last. */
  get newest(): Lineage | undefined {
    return [...this.lineages.values()].at(-1);
  }

  /** The process that began the newest epoch. */
  writerOf(log: SimulatedLog): string | undefined {
    return this.#writers.get(log)?.processName;
  }

  onEntry(log: SimulatedLog, { seq, entry }: NumberedEntry, writer: WriterIdentity): void {
    const decoded = decodeEntry(entry.bytes, `entry ${seq}`);
    const { body } = decoded;
    this.#world.note(`  entry ${seq} of ${log.url}: ${textOf(body).slice(0, 300)}`);
    if (body.kind === "begin") this.#writers.set(log, writer);
    else if (this.#writers.get(log) !== writer) {
      this.#violate(`2.5 entry ${seq} was appended by ${writer.processName}, which is fenced`);
    }
    const lineage = this.#lineageOf(log, decoded);
    if (body.kind === "begin") {
      this.begins++;
      // A copy's epoch is the job's only when it arrives: it may find out that the job has moved on, and give up.
      if (body.purpose === "copy") this.#copies.set(log, { epoch: seq, texts: [] });
      else this.#onEpoch(lineage, seq);
      return;
    }
    const copied = this.#copies.get(log);
    if (copied !== undefined) this.#onCopied(lineage, log, body, copied);
    else this.#onBody(lineage, log, seq, body);
  }

  /** A process that records no plans has read a piece of the log. */
  onUnplannedRead(range: OffsetRange): void {
    const lineage = this.newest;
    if (lineage === undefined) return;
    lineage.wasUnplanned = true;
    if (!lineage.begins.has(range.partition)) lineage.begins.set(range.partition, range.fromOffset);
  }

  /** A pipeline was given a record, as part of a batch. Records may be read before, and go nowhere. */
  onRecord({ partition, offset }: Pick<OffsetRange, "partition"> & { offset: bigint }, batchId: number, who: string) {
    const isPlanned = this.#planned.some(
      (planned) =>
        planned.batchId === batchId &&
        planned.partition === partition &&
        planned.fromOffset <= offset &&
        offset < planned.untilOffset,
    );
    if (!isPlanned) this.#violate(`2.1 ${who} runs ${partition}:${offset} in batch ${batchId} without a durable plan`);
  }

  /** Rows have become visible. */
  onCommit(table: SimulatedTable, commit: Committed, processName: string): void {
    const { lineageId, batchId, planHash: hash, rows } = commit;
    this.#world.note(`  batch ${batchId} is visible: ${JSON.stringify(rows)}`);
    const lineage = this.lineages.get(lineageId);
    if (commit.isUnplanned) {
      if (table === this.#world.table) checkUnplannedRows(this.#world, commit);
      return;
    }
    const plan = lineage?.plans.get(batchId);
    const what = `batch ${batchId} written by ${processName}`;
    if (lineage === undefined || plan?.hash !== hash) {
      this.#violate(`2.1 ${what} has no durable plan with its hash`);
      return;
    }
    const planned = table.commits.filter(({ isUnplanned }) => !isUnplanned);
    const same = planned.filter((other) => other.lineageId === lineageId && other.batchId === batchId);
    if (same.length > 1) this.#violate(`2.6 ${what} is visible twice`);
    const mayComeLate = table.kind === "unique" && lineage.abandoned.has(batchId);
    if (lineage.inHand?.batchId !== batchId && !mayComeLate) this.#violate(`2.4 ${what} is not in hand`);
    if (table === this.#world.table) this.#checkRows(plan, rows);
  }

  #checkRows(plan: Plan, rows: readonly unknown[]): void {
    const { topic } = this.#world;
    const visible = new Set(rows);
    const expected = plan.ranges.flatMap((range) =>
      topic
        .everIn(range)
        .filter(({ kind }) => kind === "good")
        .filter(({ offset }) => {
          const row = rowOf(range.partition, offset);
          // What the log has forgotten may be missing; whether that was recorded is judged in the end.
          return visible.has(row) || offset >= topic.partition(range.partition).earliest;
        })
        .map(({ offset }) => rowOf(range.partition, offset)),
    );
    if (expected.join() !== rows.join()) {
      this.#violate(`2.3 batch ${plan.batchId} gave ${rows.join(" ")} instead of ${expected.join(" ")}`);
    }
  }

  #lineageOf(log: SimulatedLog, { lineageId, body }: JournalEntry): Lineage {
    const known = this.lineages.get(lineageId);
    if (known !== undefined) return known;
    const other = [...this.lineages.values()].find((lineage) => lineage.home === log && log.entries.size > 1);
    if (body.kind !== "begin" || other !== undefined) this.#violate(`2.8 a new lineage begins over ${other?.id}`);
    const lineage: Lineage = {
      id: lineageId,
      positions: new Map(),
      epoch: -1n,
      nextBatchId: 0,
      inHand: undefined,
      poison: [],
      plans: new Map(),
      completed: [],
      abandoned: new Set(),
      begins: new Map(),
      wasUnplanned: false,
      resets: 0,
      home: log,
      movedTo: undefined,
      history: [],
    };
    this.lineages.set(lineageId, lineage);
    return lineage;
  }

  #onBody(lineage: Lineage, log: SimulatedLog, seq: bigint, body: EntryBody): void {
    if (lineage.home !== log || lineage.movedTo !== undefined) {
      this.#violate(`2.12 entry ${seq} of ${log.url} follows after the job has moved`);
    }
    if (isHistory(body)) lineage.history.push(textOf(body));
    switch (body.kind) {
      case "plan":
        this.#onPlan(lineage, body.plan);
        return;
      case "poison":
        this.#checkInHand(lineage, body);
        for (const table of [this.#world.table, this.#world.deadLetters]) {
          if (!this.#isWritten(table, lineage, body)) continue;
          this.#violate(`2.11 batch ${body.batchId} lost records after it was written`);
        }
        lineage.poison.push(...body.records);
        return;
      case "complete":
        this.#onComplete(lineage, body);
        return;
      case "commit":
        lineage.wasUnplanned = true;
        checkCommit(this.#world, lineage, body);
        this.#move(lineage, body.ranges, body.positions, `the commit of batch ${body.batchId}`);
        lineage.nextBatchId = body.batchId + 1;
        return;
      case "reset":
        if (lineage.inHand?.batchId !== body.abandonedBatchId) this.#violate("2.12 a reset drops a batch in silence");
        if (lineage.inHand !== undefined) {
          lineage.abandoned.add(lineage.inHand.batchId);
          lineage.nextBatchId = lineage.inHand.batchId + 1;
        }
        lineage.inHand = undefined;
        lineage.positions = positionsOf(body.positions);
        if (body.reason === "the job's start") for (const at of lineage.positions) lineage.begins.set(...at);
        else lineage.resets++;
        return;
      case "moving":
        lineage.movedTo = body.to;
        return;
      default:
        this.#violate(`2.12 a stray entry "${body.kind}"`);
    }
  }

  #onPlan(lineage: Lineage, plan: Plan): void {
    const { batchId, ranges } = plan;
    if (lineage.plans.has(batchId)) this.#violate(`2.2 batch ${batchId} is planned a second time`);
    if (batchId !== lineage.nextBatchId) this.#violate(`2.3 batch ${batchId} follows, not ${lineage.nextBatchId}`);
    if (lineage.inHand !== undefined) this.#violate(`2.4 batch ${batchId} is planned while another is in hand`);
    if (planHash(lineage.id, batchId, ranges) !== plan.hash) this.#violate(`2.6 batch ${batchId} has a wrong hash`);
    for (const range of ranges) {
      if (!lineage.begins.has(range.partition)) lineage.begins.set(range.partition, range.fromOffset);
      const at = lineage.positions.get(range.partition);
      const isContiguous = at === undefined || at === range.fromOffset;
      if (!isContiguous) this.#violate(`2.3 ${describe(range)} does not begin at ${at}`);
      if (range.untilOffset > this.#world.topic.partition(range.partition).latest) {
        this.#violate(`2.1 ${describe(range)} ends beyond the log`);
      }
    }
    lineage.plans.set(batchId, plan);
    lineage.inHand = plan;
    lineage.poison = [];
    this.#planned.push(...ranges.map((range) => ({ ...range, batchId })));
  }

  #onComplete(lineage: Lineage, body: CompleteEntry): void {
    this.#checkInHand(lineage, body);
    const plan = lineage.plans.get(body.batchId);
    if (plan === undefined) return;
    if (countOffsets(plan.ranges) > 0n && !this.#isWritten(this.#world.table, lineage, body)) {
      this.#violate(`2.4 batch ${plan.batchId} is complete, but its rows are not visible`);
    }
    this.#move(lineage, plan.ranges, body.positions, `the completion of batch ${plan.batchId}`);
    lineage.completed.push({ plan, poison: lineage.poison, lost: body.lost });
    lineage.inHand = undefined;
    lineage.nextBatchId = plan.batchId + 1;
    if (body.next !== undefined) this.#onPlan(lineage, body.next);
  }

  #move(lineage: Lineage, ranges: readonly OffsetRange[], positions: readonly Position[], what: string): void {
    for (const { partition, fromOffset, untilOffset } of ranges) {
      if (!lineage.begins.has(partition)) lineage.begins.set(partition, fromOffset);
      lineage.positions.set(partition, untilOffset);
    }
    const recorded = positionsOf(positions);
    const isSame =
      recorded.size === lineage.positions.size &&
      [...recorded].every(([partition, offset]) => lineage.positions.get(partition) === offset);
    if (!isSame) this.#violate(`2.9 ${what} records other positions`);
  }

  #onEpoch(lineage: Lineage, epoch: bigint): void {
    if (epoch <= lineage.epoch) this.#violate(`2.5 epoch ${epoch} is not newer than ${lineage.epoch}`);
    lineage.epoch = epoch;
  }

  #onCopied(lineage: Lineage, log: SimulatedLog, body: EntryBody, copy: { epoch: bigint; texts: string[] }): void {
    const { epoch, texts: copied } = copy;
    if (isHistory(body)) {
      copied.push(textOf(body));
      return;
    }
    this.#onEpoch(lineage, epoch);
    if (body.kind !== "arrived") this.#violate(`2.12 "${body.kind}" in a copy that has not arrived`);
    this.#copies.delete(log);
    const tail = lineage.history.slice(lineage.history.length - copied.length);
    const lastCompletion = lineage.history.findLastIndex((text) => /"(complete|commit)"/.test(text));
    const isWhole = copied.length >= lineage.history.length - lastCompletion;
    if (tail.join() !== copied.join() || (lastCompletion >= 0 && !isWhole)) {
      this.#violate("2.12 the copied history is not the job's");
    }
    if (lineage.movedTo !== log.url) this.#violate(`2.12 a copy arrives at ${log.url}, not at ${lineage.movedTo}`);
    lineage.home = log;
    lineage.movedTo = undefined;
  }

  #checkInHand(lineage: Lineage, { batchId, planHash: hash }: { batchId: number; planHash: string }): void {
    if (lineage.inHand?.batchId === batchId && lineage.inHand.hash === hash) return;
    this.#violate(`2.2 batch ${batchId} (${hash}) is not the one in hand`);
  }

  #isWritten(table: SimulatedTable, lineage: Lineage, { batchId, planHash: hash }: CompleteOrPoison): boolean {
    return table.commits.some(
      (commit) =>
        !commit.isUnplanned &&
        commit.lineageId === lineage.id &&
        commit.batchId === batchId &&
        commit.planHash === hash,
    );
  }

  #violate(message: string): void {
    this.#world.violate(message);
  }
}

type CompleteOrPoison = Pick<CompleteEntry, "batchId" | "planHash">;

function isHistory({ kind }: EntryBody): boolean {
  return kind !== "begin" && kind !== "moving" && kind !== "arrived";
}

function textOf(body: EntryBody): string {
  return JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}

function positionsOf(positions: readonly Position[]): Map<number, bigint> {
  return new Map(positions.map(({ partition, offset }) => [partition, offset]));
}

function describe({ partition, fromOffset, untilOffset }: OffsetRange): string {
  return `${partition}:${fromOffset}-${untilOffset}`;
}
