// Encoded rows as one piece of bytes, which is passed between threads and kept until its batch is committed: for each
// row its key, and for each of its cells the number of its qualifier, the value's length (or that it is to be removed)
// and the value. All numbers have 32 bits.
import type { HBaseCell, HBaseRemoval, RowChange } from "./table.ts";

/** Plain data. */
export interface RowBlock {
  /** The qualifiers, by the numbers that stand in `bytes`. */
  readonly qualifiers: readonly string[];
  readonly rowCount: number;
  readonly bytes: Uint8Array;
}

/** A cell to put, or to remove. */
export interface EncodedCell {
  readonly qualifier: string;
  readonly value: Uint8Array | "removed";
}

const FIRST_BYTES = 16 * 1024;
const REMOVED = 0xffff_ffff;

/** Gathers rows into a block. */
export class RowBlockBuilder {
  readonly #numbers = new Map<string, number>();
  #rowCount = 0;
  #bytes = Buffer.alloc(0);
  #used = 0;

  add(key: Uint8Array, cells: readonly EncodedCell[]): void {
    this.#addBytes(key);
    this.#addNumber(cells.length);
    for (const { qualifier, value } of cells) {
      const number = this.#numbers.get(qualifier) ?? this.#numbers.size;
      this.#numbers.set(qualifier, number);
      this.#addNumber(number);
      if (value === "removed") this.#addNumber(REMOVED);
      else this.#addBytes(value);
    }
    this.#rowCount++;
  }

  /** What was gathered, undefined when nothing was; the next row begins a new block. */
  take(): RowBlock | undefined {
    if (this.#rowCount === 0) return undefined;
    const block = {
      qualifiers: [...this.#numbers.keys()],
      rowCount: this.#rowCount,
      bytes: Uint8Array.from(this.#bytes.subarray(0, this.#used)),
    };
    this.#numbers.clear();
    this.#rowCount = 0;
    this.#used = 0;
    return block;
  }

  #addNumber(number: number): void {
    this.#used = this.#room(4).writeUInt32LE(number, this.#used);
  }

  #addBytes(bytes: Uint8Array): void {
    this.#addNumber(bytes.length);
    this.#room(bytes.length).set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #room(count: number): Buffer {
    if (this.#used + count > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#bytes.length, this.#used + count));
      larger.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}

/**
 * The changes that blocks stand for, with one timestamp. Of several rows with the same key the last one's cells count:
 * they would have the same timestamp, and a cell that is removed would hide one that is put.
 */
export function changesOf(blocks: readonly RowBlock[], family: string, stampMs: number): RowChange[] {
  const rows = new Map<string, { readonly row: Uint8Array; readonly cells: Map<string, Uint8Array | "removed"> }>();
  for (const block of blocks) {
    const reader = new BlockReader(block);
    for (let row = 0; row < block.rowCount; row++) {
      const key = reader.bytes();
      const name = key.toString("latin1");
      const known = rows.get(name) ?? { row: key, cells: new Map() };
      rows.set(name, known);
      for (let left = reader.number(); left > 0; left--) known.cells.set(reader.qualifier(), reader.value());
    }
  }
  return [...rows.values()].map(({ row, cells }) => {
    const puts: HBaseCell[] = [];
    const removals: HBaseRemoval[] = [];
    for (const [qualifier, value] of cells) {
      if (value === "removed") removals.push({ family, qualifier, stampMs });
      else puts.push({ family, qualifier, stampMs, value });
    }
    return { row, puts, removals };
  });
}

class BlockReader {
  readonly #qualifiers: readonly string[];
  readonly #bytes: Buffer;
  #at = 0;

  constructor({ qualifiers, bytes }: RowBlock) {
    this.#qualifiers = qualifiers;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    const number = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return number;
  }

  bytes(): Buffer {
    return this.#take(this.number());
  }

  value(): Uint8Array | "removed" {
    const length = this.number();
    return length === REMOVED ? "removed" : this.#take(length);
  }

  qualifier(): string {
    return this.#qualifiers[this.number()] ?? "";
  }

  #take(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
