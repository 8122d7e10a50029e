// Text that others wrote (records, error messages, file names) made safe and short enough to print: nothing in it may
// move a terminal's cursor, and no message may fill more than a screen.

const MAX_LINES = 12;
const MAX_LINE_CHARACTERS = 600;
/**
 * Everything that a terminal obeys instead of showing: C0 and C1 controls but for the newline, and direction
 * overrides.
 */
const CONTROLS = /[\p{Cc}\p{Bidi_Control}]/gu;

/** The text with control characters as `\u001b`, but for newlines; tabs become a space. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (control) => {
    if (control === "\n") return control;
    return control === "\t" ? " " : `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** A message of at most 12 lines of at most 600 characters, printable; what is cut is told. */
export function printableMessage(text: string): string {
  const lines = printable(text.replaceAll("\r\n", "\n")).trimEnd().split("\n");
  const shown = lines.slice(0, MAX_LINES).map((line) => cut(line, MAX_LINE_CHARACTERS));
  return lines.length > MAX_LINES
    ? [...shown, `… ${lines.length - MAX_LINES} more lines`].join("\n")
    : shown.join("\n");
}

/** At most `width` characters, with `…` for what is left out. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Breaks text at spaces into lines of at most `width` characters; longer words stay whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
