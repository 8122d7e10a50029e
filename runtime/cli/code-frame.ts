// A few lines of a source file with a mark at the place that matters, as wide as a terminal allows.
import { closeSync, openSync, readSync } from "node:fs";
import { cut, printable } from "./printable.ts";

/** A place in a source file; lines and columns are counted from 1. */
export interface CodePlace {
  readonly path: string;
  readonly line: number;
  readonly column?: number | undefined;
}

const LINES_BEFORE = 2;
const LINES_AFTER = 1;
/** Nobody writes a longer one by hand. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The lines around a place of a file, a caret under its column; undefined when the file cannot be read or has no such
 * line.
 */
export function codeFrame({ path, line, column }: CodePlace, width: number): string | undefined {
  const source = readStart(path)?.split(/\r?\n/);
  if (source === undefined || line < 1 || line > source.length) return undefined;
  const first = Math.max(1, line - LINES_BEFORE);
  const last = Math.min(source.length, line + LINES_AFTER);
  const numberWidth = String(last).length;
  const codeWidth = Math.max(20, width - numberWidth - 6);
  const shown: string[] = [];
  for (let number = first; number <= last; number++) {
    const code = printable(source[number - 1] ?? "");
    const isMarked = number === line && column !== undefined;
    const from = isMarked ? firstShown(column, codeWidth) : 0;
    const part = cut(from > 0 ? `…${code.slice(from + 1)}` : code, codeWidth);
    shown.push(`${number === line ? ">" : " "} ${String(number).padStart(numberWidth)} | ${part}`.trimEnd());
    if (isMarked) shown.push(`  ${" ".repeat(numberWidth)} | ${" ".repeat(Math.max(0, column - 1 - from))}^`);
  }
  return shown.join("\n");
}

/** How many characters of a long line are left out before what can be seen, so that its column can. */
function firstShown(column: number, width: number): number {
  const behind = Math.floor(width / 4);
  return Math.max(0, column + behind - width);
}

/** Where a file names a module in an import; undefined when it cannot be found. */
export function placeOfImport(path: string, specifier: string): CodePlace | undefined {
  const lines = readStart(path)?.split(/\r?\n/) ?? [];
  for (const [index, text] of lines.entries()) {
    const quoted = [`"${specifier}"`, `'${specifier}'`, `"${specifier}/`, `'${specifier}/`];
    const at = quoted.map((each) => text.indexOf(each)).find((found) => found >= 0);
    if (at !== undefined) return { path, line: index + 1, column: at + 1 };
  }
  return undefined;
}

function readStart(path: string): string | undefined {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(MAX_FILE_BYTES);
      return bytes.toString("utf8", 0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
