// What Tidemark needs of an HBase table, whichever protocol its cluster speaks: one row's cells, a change of one row
// under a condition (a row is HBase's unit of atomicity), idempotent changes of many rows, and short scans. Cell
// timestamps are always given by the caller, so that no server's clock decides which of two cells is the newer one.
// Every call has a deadline of its own besides the signal, and looks for a region again that has moved.

/** The protocols that clusters speak: protobuf RPC (0.96 and later) or the older one of 0.94. */
export type HBaseProtocol = "2.x" | "0.94";

/** A cell as it is written and read; its qualifier is text in UTF-8. */
export interface HBaseCell {
  readonly family: string;
  readonly qualifier: string;
  /** The cell's timestamp in ms; 0 or more. Of two cells in one place the higher is read, and hides the other. */
  readonly stampMs: number;
  readonly value: Uint8Array;
}

/** What to remove: cells up to and including this timestamp. */
export interface HBaseRemoval {
  readonly family: string;
  /** undefined: all of the family in that row. */
  readonly qualifier?: string;
  readonly stampMs: number;
}

/** Changes of one row. They may become visible one after the other. */
export interface RowChange {
  readonly row: Uint8Array;
  readonly puts: readonly HBaseCell[];
  readonly removals: readonly HBaseRemoval[];
}

/** One cell of the row, and the value that it must have; undefined: there must be no such cell. */
export interface CellCondition {
  readonly family: string;
  readonly qualifier: string;
  readonly expected: Uint8Array | undefined;
}

export interface FoundRow {
  readonly row: Uint8Array;
  readonly cells: readonly HBaseCell[];
}

/** Qualifiers of one family, compared as bytes. */
export interface QualifierRange {
  readonly family: string;
  /** Inclusive. */
  readonly from: string;
  /** Exclusive. */
  readonly until: string;
  /** At most so many cells, the lowest qualifiers; ≥ 1. */
  readonly limit: number;
}

/** Rows in order of their keys' bytes. */
export interface RowRange {
  /** Where to begin, inclusive: the lowest row, or the highest (not empty then) when `isReversed`. */
  readonly from: Uint8Array;
  /** Where to stop, exclusive; empty: at the table's end, or its beginning when `isReversed`. */
  readonly until: Uint8Array;
  readonly isReversed?: boolean;
  /** At most so many rows; ≥ 1. */
  readonly limit: number;
  readonly family: string;
  /** Only these cells; default all of the family. Rows without any of them are left out. */
  readonly qualifiers?: readonly string[];
}

/**
 * One table. All methods throw ConfigError where the table, a family or a right is missing (with the command to type),
 * and TransientError where the cluster cannot be reached and nothing was changed.
 */
export interface HBaseTable {
  readonly name: string;
  /** The newest cells of one row in these places, in any order; those that are not there are left out. */
  get(row: string, family: string, qualifiers: readonly string[], signal: AbortSignal): Promise<readonly HBaseCell[]>;
  /** Cells of one row by a range of qualifiers, in order. */
  getRange(row: string, range: QualifierRange, signal: AbortSignal): Promise<readonly HBaseCell[]>;
  /**
   * Puts cells into one row, all or none and durably, if one cell of that row is as expected; false: it is not.
   * @throws OutcomeUnknownError the reply was lost: the same again may answer false because of the first
   */
  checkAndPut(
    row: string,
    condition: CellCondition,
    cells: readonly HBaseCell[],
    signal: AbortSignal,
  ): Promise<boolean>;
  /**
   * Puts and removes cells of any number of rows, durably, batched by region. Idempotent: the same again has the same
   * effect. Each row, and each place in it, is named once.
   * @throws OutcomeUnknownError a reply was lost: some of it may have happened, or happen later
   */
  write(changes: readonly RowChange[], signal: AbortSignal): Promise<void>;
  /** The rows of a range, each with its newest cells. */
  scan(range: RowRange, signal: AbortSignal): Promise<readonly FoundRow[]>;
}

/** Settings of a column family by HBase's names for them, such as TTL. */
export type FamilySettings = ReadonlyMap<string, string>;

/** A connected cluster. Disposing of it closes its connections. */
export interface HBaseCluster extends AsyncDisposable {
  readonly protocol: HBaseProtocol;
  table(name: string): HBaseTable;
  /** Whether there is a table of this name. @throws TransientError */
  hasTable(name: string, signal: AbortSignal): Promise<boolean>;
  /** A table's families with their settings, none when it is not there. Left out where the protocol cannot ask. */
  families?(name: string, signal: AbortSignal): Promise<ReadonlyMap<string, FamilySettings>>;
  /**
   * Makes the table unless it is there: one version of each cell. Idempotent.
   * @throws ConfigError it may not or cannot be made from here; the hint is what to type into `hbase shell`
   */
  ensureTable(name: string, families: readonly string[], signal: AbortSignal): Promise<void>;
}
