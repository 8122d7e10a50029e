// Which code is this package's and which is the user's: the root that this very command runs from, sources (.ts) or
// build (.js).
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The folder that holds runtime/, connectors/ and checkpoints/ as this command runs them, as a URL that ends with
 * `/`.
 */
export const ownRoot = new URL("../../", import.meta.url).href;

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const ownFolders = ["runtime/", "connectors/", "checkpoints/"].map((folder) => ownRoot + folder);

/** What can be imported from this package, and the file of ours that it is, as a URL. */
export function ownModules(): ReadonlyMap<string, string> {
  const modules = new Map<string, string>();
  const add = (specifier: string, path: string) => {
    const url = `${ownRoot}${path}${extension}`;
    if (existsSync(fileURLToPath(url))) modules.set(specifier, url);
  };
  add("tidemark", "runtime/index");
  add("tidemark/testing", "runtime/testing");
  for (const name of namesIn("connectors")) add(`tidemark/connectors/${name}`, `connectors/${name}/index`);
  for (const file of namesIn("checkpoints").filter((name) => name.endsWith(extension) && !name.endsWith(".d.ts"))) {
    const name = file.slice(0, -extension.length);
    add(`tidemark/checkpoints/${name}`, `checkpoints/${name}`);
  }
  return modules;
}

/** Whether a file is the user's own: not this package's, and not somebody else's package. */
export function isUserCode(url: string): boolean {
  if (!url.startsWith("file:") || url.includes("/node_modules/")) return false;
  return !ownFolders.some((folder) => url.startsWith(folder));
}

/** The version of this package, from its package.json, which lies one folder higher for the build. */
export function ownVersion(): string {
  for (const place of ["package.json", "../package.json"]) {
    const path = fileURLToPath(new URL(place, ownRoot));
    if (!existsSync(path)) continue;
    const found: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof found === "object" && found !== null && "version" in found) return String(found.version);
  }
  return "unknown";
}

function namesIn(folder: string): string[] {
  const path = fileURLToPath(new URL(folder, ownRoot));
  return existsSync(path) ? readdirSync(path).sort() : [];
}
