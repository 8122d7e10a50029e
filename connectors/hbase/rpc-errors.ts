// What can become of a call: it never left, its reply was lost, or the server refused it. Which of a server's
// exceptions mean that nothing happened is decided here, by class names of HBase, never by texts; and what each means
// for the caller.
import { ConfigError, messageOf, OutcomeUnknownError, TidemarkError, TransientError } from "../../runtime/index.ts";

/** No connection: the call was not sent. */
export class NotSentError extends Error {}

/** The connection ended, or the deadline passed, after the call was sent. */
export class LostReplyError extends Error {}

/** What a server said instead of a result. */
export class ServerException extends Error {
  /** Without its package: `NotServingRegionException`. */
  readonly className: string;
  readonly doNotRetry: boolean;

  /** @param stackTrace its first line is the message */
  constructor({ className, stackTrace, doNotRetry }: { className: string; stackTrace: string; doNotRetry: boolean }) {
    const [line = ""] = stackTrace.split("\n", 1);
    super(line.slice(0, 300).replace(/^[\w.$]+: /, "") || className);
    this.className = className.slice(className.lastIndexOf(".") + 1).slice(0, 100);
    this.doNotRetry = doNotRetry;
  }
}

/** The code of the ConfigError for a table that is not there. */
export const NO_TABLE = "NO_TABLE";

/** The region is elsewhere, or not open yet: nothing was done, and hbase:meta knows more. */
const ELSEWHERE = new Set([
  "NotServingRegionException",
  "RegionMovedException",
  "RegionOpeningException",
  "RegionInRecoveryException",
  "RegionOfflineException",
  "WrongRegionException",
  "RegionServerStoppedException",
  "RegionServerAbortedException",
  "ServerNotRunningYetException",
  "UnknownRegionException",
]);

/** Too busy or not ready: nothing was done. */
const NOT_NOW = new Set([
  "RegionTooBusyException",
  "CallQueueTooBigException",
  "CallDroppedException",
  "RpcThrottlingException",
  "PleaseHoldException",
  "MasterNotRunningException",
  "NotAllMetaRegionsOnlineException",
  "StoreTooBusyException",
]);

/** Whether to look for the region again, and then call again. */
export function isElsewhere(error: unknown): boolean {
  return error instanceof NotSentError || (error instanceof ServerException && ELSEWHERE.has(error.className));
}

/** Whether it is certain that a call that failed like this had no effect. */
function hadNoEffect(error: unknown): boolean {
  if (error instanceof NotSentError) return true;
  if (!(error instanceof ServerException)) return false;
  return error.doNotRetry || ELSEWHERE.has(error.className) || NOT_NOW.has(error.className);
}

export interface Failed {
  /** As in "cannot … ". */
  readonly doing: string;
  readonly table: string;
  /** For messages: the ZooKeeper quorum, and who asked. */
  readonly cluster: string;
  readonly user: string;
  /** Whether it may have happened although the reply was lost. */
  readonly writes: boolean;
}

/** The error to throw for a call that failed; errors of this package stay as they are. */
export function failureOf(error: unknown, { doing, table, cluster, user, writes }: Failed): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const named = error instanceof ServerException ? `${error.className}: ` : "";
  const message = `cannot ${doing} (HBase at ${cluster}, table ${table}): ${named}${messageOf(error)}`;
  const cause = error;
  const hint = error instanceof ServerException ? hintFor(error, table, user) : undefined;
  if (hint !== undefined) {
    const isMissing = error instanceof ServerException && error.className === "TableNotFoundException";
    return new ConfigError(message, { hint, cause, ...(isMissing && { code: NO_TABLE }) });
  }
  if (writes && !hadNoEffect(error)) return new OutcomeUnknownError(message, { cause });
  if (error instanceof ServerException && error.doNotRetry && !isElsewhere(error)) {
    return new ConfigError(message, { hint: "what HBase says is the reason", cause });
  }
  return new TransientError(message, { hint: "is HBase running, and are its servers reached from here?", cause });
}

/** What to type, for what no second try mends. */
function hintFor({ className, message }: ServerException, table: string, user: string): string | undefined {
  switch (className) {
    case "TableNotFoundException":
      return `is its name right? in hbase shell: list shows the tables, and create '${table}', 'f' makes this one`;
    case "TableNotEnabledException":
      return `in hbase shell: enable '${table}'`;
    case "NoSuchColumnFamilyException": {
      const [, family = "f"] = /family ([\w.-]+) does not exist/.exec(message) ?? [];
      return `add it, in hbase shell: alter '${table}', '${family}'`;
    }
    case "AccessDeniedException":
      return `in hbase shell, as an administrator: grant '${user}', 'RW', '${table}'; or name another user in the URL`;
    case "BadAuthException":
    case "WrongVersionException":
    case "FatalConnectionException":
      return "this cluster wants another way in (Kerberos, TLS) than the simple one, which is what there is";
    default:
      return undefined;
  }
}
