// How the lines of a block become records: where each line's value begins and ends, and which lines have none.
import { RecordDecoder } from "../../runtime/index.ts";
import type { LineBlock } from "./line-blocks.ts";

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const NULL_LITERAL = Buffer.from("null");
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** A line's value within a buffer: `start` inclusive, `end` exclusive. */
export interface LineValue {
  readonly start: number;
  readonly end: number;
  /** A blank line, or `null`: a record without a value. */
  readonly absent: boolean;
}

/** Where the values of a block's lines lie, one after the other. */
export function* lineValues({ buffer, length, position }: LineBlock): Generator<LineValue> {
  let start = valueStart(buffer, position);
  while (start < length) {
    const newline = buffer.indexOf(NEWLINE, start);
    const end = valueEnd(buffer, start, newline);
    yield { start, end, absent: isAbsent(buffer, start, end) };
    start = newline + 1;
  }
}

/**
 * Gives a block's lines to the decoder, the first of which has offset `from`, up to `until` (exclusive).
 * @returns the offset after the last line given, and where in the file the next line begins
 */
export function decodeLines<V>(
  decoder: RecordDecoder<V>,
  { buffer, length, position }: LineBlock,
  from: bigint,
  until: bigint,
): { readonly offset: bigint; readonly byte: number } {
  let offset = from;
  let start = valueStart(buffer, position);
  while (start < length && offset < until) {
    const newline = buffer.indexOf(NEWLINE, start);
    const end = valueEnd(buffer, start, newline);
    const found = isAbsent(buffer, start, end) ? RecordDecoder.ABSENT : start;
    decoder.add(buffer, Number(offset), -1, found, end);
    offset += 1n;
    start = newline + 1;
  }
  return { offset, byte: position + start };
}

/** A byte order mark at the start of the file belongs to no line. */
function valueStart(buffer: Buffer, position: number): number {
  return position === 0 && buffer.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)
    ? BYTE_ORDER_MARK.length
    : 0;
}

function valueEnd(buffer: Buffer, start: number, newline: number): number {
  return newline > start && buffer[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
}

function isAbsent(buffer: Buffer, start: number, end: number): boolean {
  if (start === end) return true;
  const first = buffer[start] ?? 0;
  if (first === NULL_LITERAL[0]) {
    return (
      end - start === NULL_LITERAL.length && buffer.compare(NULL_LITERAL, 0, NULL_LITERAL.length, start, end) === 0
    );
  }
  if (first > SPACE) return false;
  for (let at = start; at < end; at++) if ((buffer[at] ?? 0) > SPACE) return false;
  return true;
}
