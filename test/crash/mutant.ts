// A copy of the source tree that is broken on purpose: some text of its files is replaced by other text. The text must
// be there exactly once, so that a mutant cannot become a harmless copy when the code changes.
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Edit {
  /** Relative to the root. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Copies what the command needs into `root` and makes the edits. @throws Error a text is not there exactly once */
export function makeMutant(root: string, edits: readonly Edit[]): void {
  mkdirSync(root, { recursive: true });
  for (const part of ["runtime", "connectors", "checkpoints", "package.json"]) {
    cpSync(join(ROOT, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  for (const { file, from, to } of edits) {
    const path = join(root, file);
    const parts = readFileSync(path, "utf8").split(from);
    const [before = "", after = ""] = parts;
    if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once:\n${from}`);
    writeFileSync(path, before + to + after);
  }
}
