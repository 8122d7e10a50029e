// Where in the user's own code an error came from: the innermost of its causes whose stack passes through a file of
// theirs.
import { fileURLToPath } from "node:url";
import type { CodePlace } from "./code-frame.ts";
import { isUserCode } from "./own-code.ts";

const MAX_CAUSES = 10;

/** The error and its causes, outermost first. */
export function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let each: unknown = error; each !== undefined && causes.length < MAX_CAUSES; ) {
    causes.push(each);
    each = each instanceof Error ? each.cause : undefined;
  }
  return causes;
}

/** The line of the user's that threw, or led to what threw; undefined when none of it is theirs. */
export function userPlace(error: unknown): CodePlace | undefined {
  for (const cause of causesOf(error).reverse()) {
    const place = cause instanceof Error ? placeInStack(cause.stack) : undefined;
    if (place !== undefined) return place;
  }
  return undefined;
}

function placeInStack(stack: string | undefined): CodePlace | undefined {
  for (const [, url = "", line, column] of stack?.matchAll(/^ +at .*?(file:\/\/[^\n]+?):(\d+):(\d+)\)?$/gm) ?? []) {
    if (isUserCode(url))
      return { path: fileURLToPath(url.split("?")[0] ?? url), line: Number(line), column: Number(column) };
  }
  return undefined;
}
