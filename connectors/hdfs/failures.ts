// What a failure means for the caller: wrong configuration, try again, or unknown outcome. What HDFS says is told by
// the class of its exception, which WebHDFS gives as JSON, never by its text. With such an answer a request has had no
// effect; without an answer a write may have had one.
import {
  ConfigError,
  type ErrorDetails,
  messageOf,
  OutcomeUnknownError,
  TidemarkError,
  TransientError,
} from "../../runtime/index.ts";
import type { HdfsAddress } from "./address.ts";
import { type HttpAnswer, isTlsFailure, NoAnswerError } from "./http-exchange.ts";

const MESSAGE_MAX_LENGTH = 500;

/** What a failure is told with. */
export interface Doing {
  readonly address: HdfsAddress;
  /** As in "cannot … ": "rename /a to /b". */
  readonly doing: string;
}

/** What HDFS refused, and why. */
export interface Refusal {
  /** The class of its exception without its package, or "" where the answer is not HDFS's. */
  readonly exception: string;
  readonly message: string;
  readonly status: number;
}

/** Reads an answer that is no success. */
export function refusalOf({ status, body, headers }: HttpAnswer): Refusal {
  const isJson = /json/.test(headers["content-type"] ?? "");
  try {
    const { RemoteException: found } = JSON.parse(isJson ? body.toString("utf8") : "");
    // The text of some goes on with a Java stack trace.
    const message = String(found.message).split("\n")[0] ?? "";
    return { exception: String(found.exception), message: message.slice(0, MESSAGE_MAX_LENGTH), status };
  } catch {
    return { exception: "", message: `HTTP status ${status}`, status };
  }
}

/** Whether another name node is the one to ask. */
export function isOfStandby({ exception }: Refusal): boolean {
  return exception === "StandbyException" || exception === "ObserverRetryOnActiveException";
}

/** Whether the name node refuses everything of that kind now, and will not for long. */
export function isPassing({ exception }: Refusal): boolean {
  return ["SafeModeException", "RetriableException", "StandbyException"].includes(exception);
}

/** The error to throw for a refusal. */
export function errorOfRefusal(refusal: Refusal, { address, doing }: Doing): TidemarkError {
  const { exception, status } = refusal;
  const message = `cannot ${doing} (HDFS at ${address.label}): ${refusal.message}`;
  const config = wrongConfiguration(refusal, address);
  if (config !== undefined) return new ConfigError(message, { hint: config });
  // Something on the way, or a name node in trouble: who knows how far it came.
  if (exception === "" && status >= 500) return new OutcomeUnknownError(message);
  return new TransientError(message, hintFor(exception, address));
}

/** What to change, for refusals that no second try mends. */
function wrongConfiguration({ exception, message, status }: Refusal, address: HdfsAddress): string | undefined {
  const { user, folder, label } = address;
  switch (exception) {
    case "AccessControlException": {
      const inode = /inode="([^"]+)"/.exec(message)?.[1] ?? folder;
      return `let ${user} in: hdfs dfs -chown ${user} ${inode} (or -chmod), or name another user: ?user.name=NAME`;
    }
    case "SecurityException":
    case "AuthorizationException":
    case "InvalidToken":
      return `this cluster wants to know for certain who asks (Kerberos): ${user} needs a gateway that asks for less`;
    case "InvalidPathException":
    case "IllegalArgumentException":
    case "UnsupportedOperationException":
    case "HadoopIllegalArgumentException":
      return "what HDFS says is the reason";
    case "":
      break;
    default:
      return undefined;
  }
  if (status === 401 || status === 403) return `a gateway or Kerberos at ${label} lets nobody in that way`;
  if (status >= 500) return undefined;
  return `is the name node's HTTP (dfs.namenode.http-address) at ${label}, and webhdfs:// or swebhdfs:// right?`;
}

function hintFor(exception: string, { folder, label }: HdfsAddress): { hint?: string } {
  switch (exception) {
    case "SafeModeException":
      return { hint: "HDFS is in safe mode, in which it only reads: see hdfs dfsadmin -safemode get" };
    case "StandbyException":
      return { hint: `none of ${label} is the active one: see hdfs haadmin -getAllServiceState` };
    case "NSQuotaExceededException":
      return { hint: `the quota of names is used up: hdfs dfsadmin -setQuota N ${folder}` };
    case "DSQuotaExceededException":
    case "QuotaByStorageTypeExceededException":
      return { hint: `the quota of space is used up: hdfs dfsadmin -setSpaceQuota N ${folder}` };
    case "IOException":
      return { hint: "are there DataNodes alive, with space left? see hdfs dfsadmin -report" };
    default:
      return {};
  }
}

/** The error to throw where no answer came; `isWrite`: the request may have changed something. */
export function errorOfNoAnswer(error: unknown, isWrite: boolean, { address, doing }: Doing): unknown {
  if (error instanceof TidemarkError || !(error instanceof NoAnswerError)) return error;
  const message = `cannot ${doing} (HDFS at ${address.label}): ${messageOf(error)}`;
  const cause: ErrorDetails = { cause: error };
  if (error.code !== undefined && isTlsFailure(error.code)) {
    const hint = address.isTls
      ? "name the authority that signed the certificate: ?ca=/path/ca.crt; the host must be one of its names"
      : "write swebhdfs:// for TLS";
    return new ConfigError(message, { hint, ...cause });
  }
  const isNoHttp = error.code?.startsWith("HPE_");
  const hint = isNoHttp ? "what answers there is not HTTP: webhdfs:// is plain, swebhdfs:// is TLS" : undefined;
  if (isWrite && error.mayHaveArrived) return new OutcomeUnknownError(message, { ...(hint && { hint }), ...cause });
  return new TransientError(message, { hint: hint ?? `is it running, and reached at ${address.label}?`, ...cause });
}
