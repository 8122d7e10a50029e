// Plain aligned columns for a terminal: two spaces apart, numbers to the right, and the last column cut to what is
// left of the width.
import { styleText } from "node:util";
import { cut, printable } from "./printable.ts";

export interface Column {
  readonly title: string;
  /** "end": to the right, for numbers. */
  readonly align: "start" | "end";
}

const GAP = "  ";

/**
 * The table as lines no wider than `width` characters where the last column can give way; at least its title is left
 * of it.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, isStyled }: { width: number; isStyled: boolean },
): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, each) => sum + each + GAP.length, 0);
  widths[last] = Math.max(columns[last]?.title.length ?? 0, Math.min(widths[last] ?? 0, width - before));
  const line = (row: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = cut(row[index] ?? "", widths[index] ?? 0);
        return align === "end" ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
      })
      .join(GAP)
      .trimEnd();
  const titles = line(columns.map(({ title }) => title));
  return [isStyled ? styleText("bold", titles, { validateStream: false }) : titles, ...cells.map(line)];
}
