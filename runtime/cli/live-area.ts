// The lines at the bottom of a terminal that are drawn again and again. Whatever else is written, by us, by a sink or
// by console.log in a job, first erases them, so that nothing is overwritten or left behind.
import { cut } from "./printable.ts";

const ERASE_LINE = "\r\u001b[2K";
const LINE_UP = "\u001b[1A";

/** Lines on `terminal`, kept below everything else that is written to it or to `other`, when that is a terminal too. */
export class LiveArea implements Disposable {
  readonly #terminal: NodeJS.WriteStream;
  readonly #restore: (() => void)[] = [];
  #drawnLines = 0;
  #isDrawing = false;
  /** Someone wrote half a line: drawing would tear it. */
  #isMidLine = false;

  constructor(terminal: NodeJS.WriteStream, other: NodeJS.WriteStream) {
    this.#terminal = terminal;
    this.#guard(terminal);
    if (other.isTTY) this.#guard(other);
  }

  /** Draws the lines in place of the former ones, each cut to the terminal's width. */
  draw(lines: readonly string[]): void {
    if (this.#isMidLine) return;
    const { columns = 80, rows = 24 } = this.#terminal;
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => cut(line, columns - 1));
    this.#write(`${this.#erasing()}${shown.join("\n")}`);
    this.#drawnLines = shown.length;
  }

  erase(): void {
    if (this.#drawnLines === 0) return;
    this.#write(this.#erasing());
    this.#drawnLines = 0;
  }

  [Symbol.dispose](): void {
    this.erase();
    for (const restore of this.#restore) restore();
  }

  #erasing(): string {
    if (this.#drawnLines === 0) return "";
    return `${ERASE_LINE}${(LINE_UP + ERASE_LINE).repeat(this.#drawnLines - 1)}`;
  }

  #write(text: string): void {
    this.#isDrawing = true;
    try {
      this.#terminal.write(text);
    } finally {
      this.#isDrawing = false;
    }
  }

  #guard(stream: NodeJS.WriteStream): void {
    const write = stream.write;
    const guarded = (...args: Parameters<typeof write>) => {
      if (!this.#isDrawing) {
        this.erase();
        this.#isMidLine = !endsLine(args[0]);
      }
      return write.apply(stream, args);
    };
    stream.write = guarded as typeof write;
    this.#restore.push(() => {
      stream.write = write;
    });
  }
}

function endsLine(chunk: unknown): boolean {
  if (typeof chunk === "string") return chunk.endsWith("\n") || chunk === "";
  return !(chunk instanceof Uint8Array) || chunk.length === 0 || chunk.at(-1) === 10;
}
