// What an error of the file system means to the caller: its class by whether something may have been written, its hint
// by what the operator can do about it. Only the code of the system call is looked at, never the message.
import { OutcomeUnknownError, TransientError } from "../../runtime/index.ts";

/** The system's code of an error (`ENOENT`), undefined for errors that have none. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** An error of a step that changed nothing that counts; `what` reads on after "cannot": "write", "list". */
export function nothingHappened(error: unknown, what: string, path: string): TransientError {
  return new TransientError(`cannot ${what} ${path}: ${textOf(error)}`, { cause: error, ...hintFor(error, path) });
}

/** An error after an entry may have become part of the log. */
export function mayHaveHappened(error: unknown, what: string, path: string): OutcomeUnknownError {
  return new OutcomeUnknownError(`cannot ${what} ${path}: ${textOf(error)}`, { cause: error, ...hintFor(error, path) });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function hintFor(error: unknown, path: string): { hint?: string } {
  const hint = hintOf(errorCode(error), path);
  return hint === undefined ? {} : { hint };
}

function hintOf(code: string | undefined, path: string): string | undefined {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return `free some space on the file system of ${path} (df ${path})`;
    case "EACCES":
    case "EROFS":
      return `let this user write in ${path}, or choose another folder with --checkpoint file:DIR`;
    case "EPERM":
    case "ENOTSUP":
    case "ENOSYS":
      return `the file system of ${path} may have no hard links: choose another folder with --checkpoint file:DIR`;
    case "ENOTDIR":
      return `${path} is not a folder: move what is there, or choose another folder with --checkpoint file:DIR`;
    case "EIO":
      return `look at the disk of ${path} (dmesg)`;
    case "EMFILE":
    case "ENFILE":
      return "raise the limit of open files (ulimit -n)";
    default:
      return undefined;
  }
}
