// What a store's append is measured against: the calls of the system's own client that no store on it can do without,
// with nothing around them. Where the customary place of offsets is in the same system and step, they are among them.
import type { Position } from "../../runtime/index.ts";

export interface RawAppend extends AsyncDisposable {
  /** Makes entry `seq` durable (from 0, one after the other), where it was not, and the head `seq` − 1. */
  append(seq: number, bytes: Buffer, positions: readonly Position[]): Promise<void>;
  /** Where only positions of real topics are shown: such positions. */
  positionsAt?(seq: number): readonly Position[];
}
