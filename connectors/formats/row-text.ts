// Gathers the text of encoded rows and hands it out as bytes. Text is turned into bytes every MiB, so that no string
// grows towards the engine's limit, and each hand-out has memory of its own, so that it can be transferred between
// threads.
const FLUSH_CHARACTERS = 1024 * 1024;
const encoder = new TextEncoder();

/** Rows as text on their way to becoming bytes. */
export class RowText {
  private rowCount = 0;
  private text = "";
  private parts: Uint8Array[] = [];

  /** Adds one row's text, its line end included. */
  add(row: string): void {
    this.text += row;
    this.rowCount++;
    if (this.text.length >= FLUSH_CHARACTERS) this.flush();
  }

  /** What was added since the last call, as UTF-8; undefined when nothing was. */
  take(): { readonly rowCount: number; readonly bytes: Uint8Array } | undefined {
    if (this.rowCount === 0) return undefined;
    this.flush();
    const [only] = this.parts;
    const bytes = only !== undefined && this.parts.length === 1 ? only : join(this.parts);
    const taken = { rowCount: this.rowCount, bytes };
    this.rowCount = 0;
    this.parts = [];
    return taken;
  }

  private flush(): void {
    if (this.text === "") return;
    this.parts.push(encoder.encode(this.text));
    this.text = "";
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
