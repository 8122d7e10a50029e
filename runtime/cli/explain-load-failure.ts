// Why a job file did not load, in the words of somebody who has to mend it: it does not compile, imports what is not
// there, or throws while it runs. Looks at what Node says and adds the place in the code and what to type.
import { existsSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, TidemarkError } from "../errors.ts";
import { type CodePlace, placeOfImport } from "./code-frame.ts";
import { JobFileError } from "./job-file-error.ts";
import { userPlace } from "./job-frames.ts";
import { userFilesRead } from "./job-modules.ts";
import { ownModules } from "./own-code.ts";
import { findSyntaxError } from "./syntax-error.ts";

/** What was thrown while `path` was imported, as the job file's error. */
export async function explainLoadFailure(error: unknown, path: string, typed: string): Promise<JobFileError> {
  if (error instanceof JobFileError) return error;
  if (error instanceof TidemarkError) {
    const { message, hint, code } = error;
    return new JobFileError(`${typed}: ${message}`, {
      code,
      cause: error,
      place: userPlace(error),
      ...(hint === undefined ? {} : { hint }),
    });
  }
  if (!(error instanceof Error)) return new JobFileError(`${typed} throws while it loads: ${messageOf(error)}`);
  const code = "code" in error ? String(error.code) : "";
  if (code === "ERR_MODULE_NOT_FOUND") return missingModule(error, path);
  const missingExport = /^The requested module '(.+)' does not provide an export named '(.+)'$/.exec(error.message);
  if (missingExport !== null) return await noSuchExport(error, missingExport[1] ?? "", missingExport[2] ?? "");
  if (error instanceof SyntaxError) return doesNotCompile(error, code, typed);
  return new JobFileError(`${typed} throws while it loads: ${error.name}: ${error.message}`, {
    cause: error,
    place: userPlace(error),
    ...hintFor(code, error.message),
  });
}

function hintFor(code: string, message: string): { hint?: string } {
  if (/^(require|module|exports|__dirname|__filename) is not defined/.test(message)) {
    return { hint: "job files are ES modules: import instead of require, import.meta.dirname instead of __dirname" };
  }
  if (code === "ERR_IMPORT_ATTRIBUTE_MISSING") return { hint: 'add to the import: with { type: "json" }' };
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") return { hint: "a job can import .ts, .mts, .js, .mjs, .cjs and .json" };
  return {};
}

function missingModule(error: Error, path: string): JobFileError {
  const importer = / imported from (.+)$/.exec(error.message)?.[1] ?? path;
  const importerPath = importer.startsWith("file:") ? fileURLToPath(importer) : importer;
  const name = basename(importerPath);
  const packageName = /^Cannot find package '(.+?)' imported/.exec(error.message)?.[1];
  if (packageName !== undefined) {
    return new JobFileError(`${name} imports "${packageName}", which is not installed`, {
      cause: error,
      hint: `type: npm install ${packageName}`,
      place: placeOfImport(importerPath, packageName),
    });
  }
  const wanted = /^Cannot find module '(.+?)'/.exec(error.message)?.[1] ?? "";
  const specifier = specifierOf(importerPath, wanted);
  const found = [".ts", ".mts", ".js", ".mjs", "/index.ts"].find((extension) => existsSync(wanted + extension));
  const asTypeScript = wanted.replace(/\.(m?)js$/, ".$1ts");
  const meant =
    found !== undefined ? specifier + found : existsSync(asTypeScript) ? specifier.replace(/js$/, "ts") : "";
  return new JobFileError(`${name} imports "${specifier}", and there is no such file`, {
    cause: error,
    hint: meant === "" ? `looked for ${wanted}` : `write the whole name of the file: "${meant}"`,
    place: placeOfImport(importerPath, specifier),
  });
}

/** The relative path as it stands in the import. */
function specifierOf(importerPath: string, wanted: string): string {
  const folder = dirname(importerPath);
  const candidates = [`./${basename(wanted)}`, `../${basename(wanted)}`];
  const written = candidates.find((specifier) => resolve(folder, specifier) === wanted);
  if (written !== undefined) return written;
  return wanted.startsWith(`${folder}/`) ? `.${wanted.slice(folder.length)}` : wanted;
}

async function noSuchExport(error: Error, specifier: string, name: string): Promise<JobFileError> {
  const place = placeAtStackHead(error.stack);
  const importer = place === undefined ? "the job" : basename(place.path);
  const elsewhere = await ownModuleWith(name);
  const hint =
    elsewhere !== undefined
      ? `import { ${name} } from "${elsewhere}"`
      : extname(specifier).endsWith("ts") || specifier.startsWith("tidemark")
        ? `if ${name} is a type, write: import type { ${name} } from "${specifier}"`
        : undefined;
  return new JobFileError(`${importer} imports "${name}" from "${specifier}", which does not export it`, {
    cause: error,
    place,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The module of this package that has an export of that name. */
async function ownModuleWith(name: string): Promise<string | undefined> {
  for (const [specifier, url] of ownModules()) {
    try {
      const exported: object = await import(url);
      if (name in exported) return specifier;
    } catch {
      // A part whose driver is not installed cannot be looked into.
    }
  }
  return undefined;
}

function doesNotCompile(error: SyntaxError, code: string, typed: string): JobFileError {
  const found = placeAtStackHead(error.stack) ?? findSyntaxError(userFilesRead(), error.message);
  const file = found === undefined ? typed : basename(found.path) === basename(typed) ? typed : found.path;
  if (code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") {
    return new JobFileError(`${file} does not compile: ${error.message}`, { cause: error, place: found });
  }
  const what = error.message.replace(/ is not supported in strip-only mode$/, "");
  return new JobFileError(`${file} has what Node cannot run: ${what}`, {
    cause: error,
    place: found,
    hint: `${insteadOf(what)} (the editor says so with "erasableSyntaxOnly": true)`,
  });
}

function insteadOf(what: string): string {
  if (/enum/i.test(what)) return 'use a union of strings, or an object "as const"';
  if (/parameter property/i.test(what)) return "declare the property and assign it in the constructor";
  if (/namespace|module/i.test(what)) return "use a file of its own instead of a namespace";
  return "only types that can be erased are possible";
}

/** Node puts the place before the error: `file:///…/job.ts:3`, the line, and carets below it. */
function placeAtStackHead(stack: string | undefined): CodePlace | undefined {
  const lines = stack?.split("\n") ?? [];
  const [, url, line] = /^(file:\/\/.+):(\d+)$/.exec(lines[0] ?? "") ?? [];
  if (url === undefined) return undefined;
  const caret = lines.slice(1, 6).find((text) => /^\s*\^+\s*$/.test(text));
  const column = caret === undefined ? undefined : caret.indexOf("^") + 1;
  return { path: fileURLToPath(url), line: Number(line), column };
}
