// What the operating system's errors mean to this connector.
import { messageOf, TransientError } from "../../runtime/index.ts";

/** Whether an error is one of the operating system's, with one of these codes ("ENOENT"). */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}

/** A failed system call as an error that is worth another try; anything else as it is. */
export function asTransient(doing: string, error: unknown): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new TransientError(`${doing}: ${messageOf(error)}`, { cause: error });
}
