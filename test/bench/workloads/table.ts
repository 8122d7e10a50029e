// What all tables of the comparison are made of, in Markdown whose columns are aligned for who reads it as text. Pure.

const FAILURE_CHARS = 300;

/** The first row is the head; the first column is text, the others figures. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  const line = (row: readonly string[]) => `| ${row.map(cell).join(" | ")} |`;
  const rule = widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(head), `| ${rule.join(" | ")} |`, ...rows.slice(1).map(line)].join("\n");
}

/** What went wrong in runs of the rows, each thing once, as a list under a heading; nothing where nothing did. */
export function failureList(
  rows: readonly { readonly label: string; readonly failures: readonly string[] }[],
): string[] {
  const lines = rows.flatMap(({ label, failures }) =>
    failures.map((failure) => `- ${label}: ${failure.replaceAll(/\s+/g, " ").slice(0, FAILURE_CHARS)}`),
  );
  return lines.length === 0 ? [] : ["Runs that do not count:", [...new Set(lines)].join("\n")];
}
