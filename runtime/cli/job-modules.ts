// How a job's modules are found and read. Everything that asks for `tidemark` gets this very command's own files, so
// that there is one instance whatever the job would find by itself; a job that has no rxjs gets ours; and the user's
// own TypeScript is always an ES module, also where `npm init -y` has written "type": "commonjs".
import { createRequire, registerHooks } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { nearest } from "../suggest.ts";
import { placeOfImport } from "./code-frame.ts";
import { JobFileError } from "./job-file-error.ts";
import { isUserCode, ownModules, ownRoot } from "./own-code.ts";

/** Entry files, which are ES modules whatever their package.json says. */
const entries = new Set<string>();
/** The user's own files that were read so far, in order. */
const userFiles: string[] = [];
let isRegistered = false;

/** Imports a job file's module. Rejects as `import()` does. */
export async function importJobModule(path: string): Promise<Record<string, unknown>> {
  if (!isRegistered) register();
  isRegistered = true;
  const { href } = pathToFileURL(path);
  entries.add(href);
  return (await import(href)) as Record<string, unknown>;
}

/** The user's own files that were read so far, newest first. */
export function userFilesRead(): string[] {
  return userFiles.toReversed();
}

function register(): void {
  const modules = ownModules();
  const ownRxjs = pathToFileURL(createRequire(ownRoot).resolve("rxjs")).href;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const url = modules.get(specifier);
      if (url !== undefined) return { url, format: formatOf(url), shortCircuit: true };
      if (specifier.startsWith("tidemark/")) throw noSuchPart(specifier, context.parentURL, modules);
      if (!/^rxjs(\/|$)/.test(specifier)) return nextResolve(specifier, context);
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        return nextResolve(specifier, { ...context, parentURL: ownRxjs });
      }
    },
    load(url, context, nextLoad) {
      if (!isUserCode(url)) return nextLoad(url, context);
      userFiles.push(fileURLToPath(url));
      const format = forcedFormat(url);
      return nextLoad(url, format === undefined ? context : { ...context, format });
    },
  });
}

/** A .js file beside the job is what its package.json says: it may well be CommonJS. */
function forcedFormat(url: string): string | undefined {
  if (/\.m?ts$/.test(url)) return "module-typescript";
  return /\.m?js$/.test(url) && entries.has(url) ? "module" : undefined;
}

function formatOf(url: string): string {
  return url.endsWith(".ts") ? "module-typescript" : "module";
}

function noSuchPart(
  specifier: string,
  parentUrl: string | undefined,
  modules: ReadonlyMap<string, string>,
): JobFileError {
  const parts = [...modules.keys()].filter((name) => name !== "tidemark");
  const near = nearest(specifier, parts);
  return new JobFileError(`there is no "${specifier}"`, {
    hint: near === undefined ? `there are: ${parts.join(", ")}` : `did you mean "${near}"?`,
    place: parentUrl?.startsWith("file:") ? placeOfImport(fileURLToPath(parentUrl), specifier) : undefined,
  });
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
}
