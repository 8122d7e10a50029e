// What a failure of the driver or the server means for the caller: wrong configuration, try again, or unknown outcome.
// Server errors are told by their SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), never by
// their text, which is translated. Messages name host, port and database, never a password.
import {
  ConfigError,
  messageOf,
  OutcomeUnknownError,
  PipelineError,
  TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import type { Address } from "./address.ts";

/**
 * The code of the error for a row that does not fit its table: it is not looked for as a poison record, since encoding
 * it again would not fail.
 */
export const ROW_REFUSED = "ROW_REFUSED";

/** What a failure is told with. */
export interface Doing {
  readonly address: Address;
  /** What was being done, as in "cannot … ": "append to the checkpoint". */
  readonly doing: string;
  /** Whether it may have happened although the reply was lost. */
  readonly mayHaveHappened?: boolean;
}

/** The driver's error object for what the server said. */
export interface ServerError extends Error {
  readonly code: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly where?: string;
  readonly column?: string;
  readonly table?: string;
  readonly constraint?: string;
}

/** Thrown when no reply came within a call's own deadline; the connection is gone then. */
export class NoReplyError extends Error {
  constructor(waitedMs: number) {
    super(`no reply within ${waitedMs} ms`);
  }
}

/** Whether the server itself said it, with an SQLSTATE; then a statement had no effect, unless it ended the session. */
export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    "severity" in error
  );
}

/** Whether the session ended with it, so that nobody knows what became of the statement under way. */
export function isSessionOver(error: unknown): boolean {
  if (!isServerError(error)) return true;
  return error.severity === "FATAL" || error.severity === "PANIC" || error.code.startsWith("57P");
}

/**
 * Server errors that pass by themselves: too busy, shutting down, starting up, locks, deadlocks, serialization.
 */
function passes(code: string): boolean {
  return /^(08|40|53|57|58)/.test(code) || ["55P03", "25P03", "25P02", "25P04", "25006"].includes(code);
}

/** The error to throw for a failure while doing something; errors of this package stay as they are. */
export function failureOf(error: unknown, { address, doing, mayHaveHappened = false }: Doing): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = `cannot ${doing} (Postgres at ${address.label}): ${messageOf(error) || codeOf(error)}`;
  const cause = error;
  if (isServerError(error)) {
    const config = wrongConfiguration(error, address);
    if (config !== undefined) return new ConfigError(message, { hint: config, cause });
    if (mayHaveHappened && isSessionOver(error)) return new OutcomeUnknownError(message, { cause });
    if (/^2[23]/.test(error.code)) {
      return new PipelineError(message, {
        code: ROW_REFUSED,
        hint: error.detail ?? "what Postgres says is the reason",
        cause,
      });
    }
    if (passes(error.code)) return new TransientError(message, { ...hintFor(error.code), cause });
    return new ConfigError(message, { hint: error.hint ?? "what Postgres says is the reason", cause });
  }
  const tls = tlsHint(error);
  if (tls !== undefined) return new ConfigError(message, { hint: tls, cause });
  if (mayHaveHappened) return new OutcomeUnknownError(message, { cause });
  return new TransientError(message, { hint: `is it running, and reached at ${address.label}?`, cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "no reason given";
}

/** What to change, for errors that no second try mends; the session had not begun, or the statement was refused. */
function wrongConfiguration({ code }: ServerError, { user, database, tlsMode }: Address): string | undefined {
  const name = quoted(database);
  switch (code) {
    case "28P01":
      return `the password of ${quoted(user)} in the URL (or PGPASSWORD) is not the server's`;
    case "28000":
      return tlsMode === "disable"
        ? "the server lets nobody in that way (pg_hba.conf); where it wants TLS: sslmode=verify-full in the URL"
        : "the server lets nobody in that way: see pg_hba.conf";
    case "3D000":
      return `create it: createdb ${database}, or mend the URL`;
    case "42501":
      return (
        `for Tidemark's own schema: grant create on database ${name} to ${quoted(user)}, or, where it exists, ` +
        "grant usage, create on schema …; for rows: grant insert (upsert: select, update, too) on the table"
      );
    default:
      return undefined;
  }
}

function hintFor(code: string): { hint?: string } {
  // It may have become a standby just now, and its address may be the new primary's in a moment.
  if (code === "25006") return { hint: "this server only answers reading (a standby): give the URL of the primary" };
  if (code === "57P01") return { hint: "another run took over, or the server is being stopped" };
  if (code === "55P03") {
    return { hint: "another session holds a lock: select pid, application_name, state, query from pg_stat_activity" };
  }
  if (code === "57014") return { hint: "it took too long, or someone cancelled it: see statementTimeoutMs" };
  if (code === "25P03") return { hint: "the pipeline gave no row for so long: raise idleTimeoutMs of postgresSink" };
  if (code === "53300") return { hint: "raise max_connections of the server, or put a pooler before it" };
  return {};
}

/** Failures of the handshake that another try does not mend. */
function tlsHint(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = messageOf(error);
  if (text.includes("does not support SSL")) return "switch TLS on in the server (ssl = on), or write sslmode=disable";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "the certificate is for another name: connect by that name, or sslmode=verify-ca";
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/.test(code)) {
    return "name the authority that signed the certificate: sslrootcert=/path/ca.crt in the URL";
  }
  if (/^ERR_(SSL|OSSL|TLS)/.test(code)) return "see sslmode, sslcert and sslkey in the URL";
  if (/password must be a string|no password/i.test(text)) return "the URL has no password: postgres://user:password@…";
  return undefined;
}

/** An identifier as SQL has it. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
