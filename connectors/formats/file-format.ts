// What a file format has to provide: an encoder for rows, and how the encoded rows of one batch become one file.
import type { EncodedRows, RowEncoder } from "../../runtime/index.ts";

/** Lays out one batch's file. Keeps what the rows before have fixed, such as the columns. */
export interface FileLayout {
  /**
   * The bytes to append for these rows.
   * @throws when the rows do not fit those before them
   */
  bytesOf(rows: EncodedRows): readonly Uint8Array[];
}

export interface FileFormat<in Row> {
  /** Without the dot. */
  readonly extension: string;
  encoder(): RowEncoder<Row>;
  layout(): FileLayout;
}
