#!/usr/bin/env node
// The command `runtime`: goes on at once where this Node is new enough to run TypeScript jobs, else starts itself again
// on the `node` package of the project, else says what to type. Plain JavaScript that any Node parses.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { passThrough } from "./pass-through.js";

/**
 * Node strips types without a flag from 22.18 on.
 * @param {string} version
 */
function runsTypeScript(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/**
 * The executable of the `node` package that `from` would get, where there is one and it is new enough.
 * @param {string} from a file's path
 */
function nodePackage(from) {
  try {
    const require = createRequire(from);
    const { version } = JSON.parse(readFileSync(require.resolve("node/package.json"), "utf8"));
    const executable = require.resolve(process.platform === "win32" ? "node/bin/node.exe" : "node/bin/node");
    return runsTypeScript(version) ? executable : undefined;
  } catch {
    return undefined;
  }
}

const here = fileURLToPath(import.meta.url);
if (runsTypeScript(process.versions.node)) {
  const main = new URL(existsSync(new URL("main.ts", import.meta.url)) ? "main.ts" : "main.js", import.meta.url);
  await import(main.href);
} else {
  const node = nodePackage(join(process.cwd(), "job.ts")) ?? nodePackage(here);
  if (node === undefined) {
    process.stderr.write(
      `runtime needs Node 22.18 or later, and this is ${process.versions.node}.\n` +
        "Type: npm install --save-dev node@24   (this project then runs on it; the machine's Node stays)\n",
    );
    process.exit(2);
  }
  passThrough(node, [here, ...process.argv.slice(2)], process.env);
}
