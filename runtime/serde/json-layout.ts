// What stands between the values of an object, guessed from an object before: programs write the same keys in the same
// order with the same spaces. Bytes that were once read as a comma, a key and its colon are the same again wherever
// such a thing may stand, so that comparing them is enough. A guess that fails costs little; when many have failed,
// another object is learned, each time more rarely.

const WORD_BYTES = 4;
const MAX_GAPS = 64;
const MAX_BYTES = 64;
/** So many gaps are compared when it is not the one that was expected. */
const MAX_TRIES = 4;
const FIRST_PATIENCE = 32;
const MOST_PATIENCE = 1 << 20;
const NONE = -1;

/** From the end of the value before (or the opening brace) to the beginning of a member's value. */
export interface Gap<Field> {
  readonly length: number;
  /** Its first four bytes, little-endian, and its last four; they overlap when it is shorter than eight. */
  readonly first: number;
  readonly last: number;
  /** Those after the first four, in fours, as far as the last do not cover them. */
  readonly between: readonly number[];
  /** The field that the value is for; undefined when nobody wants it. */
  readonly field: Field | undefined;
}

/** The gaps of the objects in one place of a document. */
export class JsonLayout<Field> {
  /** In their order. The first has no comma and may stand behind a brace; the others have one and may not. */
  readonly gaps: Gap<Field>[] = [];
  private misses = 0;
  private patience = FIRST_PATIENCE;

  /** Which of `gaps` stands at `at`, where the expected one does not: one of the next, in a circle; −1 for none. */
  find(view: DataView, at: number, end: number, expected: number): number {
    const { gaps } = this;
    if (expected === 0) return NONE;
    let index = expected;
    for (let tries = Math.min(MAX_TRIES, gaps.length - 1); tries > 0; tries--) {
      index = index + 1 < gaps.length ? index + 1 : 1;
      const gap = gaps[index];
      if (gap !== undefined && isAt(gap, view, at, end)) return index;
    }
    return NONE;
  }

  /**
   * A gap from `start` to `end` (exclusive) was read that is not known: it is learned, if none was expected.
   * @returns the place of the gap to expect after it
   */
  missed(expected: number, view: DataView, start: number, end: number, field: Field | undefined): number {
    const { gaps } = this;
    if (expected === gaps.length) {
      const isLearned = this.learn(view, start, end, field);
      return isLearned ? gaps.length : Math.max(expected, 1);
    }
    this.misses++;
    if (this.misses >= this.patience) {
      gaps.length = 0;
      this.misses = 0;
      this.patience = Math.min(this.patience * 2, MOST_PATIENCE);
    }
    return Math.max(expected, 1);
  }

  private learn(view: DataView, start: number, end: number, field: Field | undefined): boolean {
    const length = end - start;
    if (length < WORD_BYTES || length > MAX_BYTES || this.gaps.length >= MAX_GAPS) return false;
    const between: number[] = [];
    for (let at = start + WORD_BYTES; at + WORD_BYTES < end; at += WORD_BYTES) between.push(view.getInt32(at, true));
    const [first, last] = [view.getInt32(start, true), view.getInt32(end - WORD_BYTES, true)];
    this.gaps.push({ length, first, last, between, field });
    return true;
  }
}

/** Whether a gap stands at `at` and ends before `end`. */
export function isAt(gap: Gap<unknown>, view: DataView, at: number, end: number): boolean {
  const { length } = gap;
  if (at + length >= end) return false;
  if (view.getInt32(at, true) !== gap.first || view.getInt32(at + length - WORD_BYTES, true) !== gap.last) return false;
  if (length <= 2 * WORD_BYTES) return true;
  const { between } = gap;
  for (let index = 0, next = at + WORD_BYTES; index < between.length; index++, next += WORD_BYTES) {
    if (view.getInt32(next, true) !== between[index]) return false;
  }
  return true;
}
