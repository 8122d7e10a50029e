// Positions that another program saved: what `runtime checkpoint import` makes a new job's checkpoint from. A place
// only reads what is there and says what it means; whether it may be used is decided once, in runtime/plan.
import type { OffsetRange, Position } from "./positions.ts";

/** What another program had done when it stopped. */
export interface SavedPositions {
  /** The next offset to read; in any order, at most one a partition. Marks only where the place knows the log. */
  readonly positions: readonly Position[];
  /** The number of the job's first batch; 0 where the other program did not number its batches. */
  readonly nextBatchId: number;
  /**
   * The batch that the other program had begun and not completed: the job's first batch covers exactly this. Each
   * range begins at its partition's position.
   */
  readonly inFlight: readonly OffsetRange[] | undefined;
  /** What a person should know of it, one line each. */
  readonly notes: readonly string[];
}

/** A place where another program saves positions. It is only read. */
export interface SavedPositionsPlace {
  /** For messages and for the checkpoint, without passwords: `kafka://127.0.0.1:9092?group=billing`. */
  readonly url: string;
  /**
   * Reads what is saved there now.
   * @throws ConfigError there is nothing, it cannot be understood, or the other program is still running
   * @throws TransientError the place cannot be reached
   */
  read(signal: AbortSignal): Promise<SavedPositions>;
}
