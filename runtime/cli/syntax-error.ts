// Node does not say where a module that V8 refuses is wrong. To find the place, each file is given to `node --check`,
// with its types stripped, which keeps lines and columns. Only used once something has failed.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import type { CodePlace } from "./code-frame.ts";

const MOST_FILES = 10;
const CHECK_TIMEOUT_MS = 5_000;

/** Which of the files fails with this very message, and where. */
export function findSyntaxError(paths: readonly string[], message: string): CodePlace | undefined {
  for (const path of paths.slice(0, MOST_FILES)) {
    const place = checkFile(path, message);
    if (place !== undefined) return place;
  }
  return undefined;
}

function checkFile(path: string, message: string): CodePlace | undefined {
  try {
    const source = readFileSync(path, "utf8");
    const input = /\.m?ts$/.test(path) ? stripTypeScriptTypes(source) : source;
    const args = ["--check", "--input-type=module", "-"];
    const { stderr } = spawnSync(process.execPath, args, { input, encoding: "utf8", timeout: CHECK_TIMEOUT_MS });
    if (!stderr.includes(`SyntaxError: ${message}`)) return undefined;
    const [, line, marked = ""] = /^\[stdin\]:(\d+)\n.*\n( *)\^/m.exec(stderr) ?? [];
    return line === undefined ? undefined : { path, line: Number(line), column: marked.length + 1 };
  } catch {
    return undefined;
  }
}
