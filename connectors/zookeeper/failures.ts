// What a failure of the driver or the server means for the caller: an answer that was to be expected, wrong
// configuration, try again, or unknown outcome. Told by the protocol's error codes, never by text. Messages name the
// servers and the path, never a password.
import { ConfigError, messageOf, OutcomeUnknownError, TidemarkError, TransientError } from "../../runtime/index.ts";

/** Error codes of the protocol (org.apache.zookeeper.KeeperException.Code). */
const RUNTIME_INCONSISTENCY = -2;
const NO_AUTH = -102;
const INVALID_ACL = -114;
const AUTH_FAILED = -115;
const QUOTA_EXCEEDED = -125;
const REFUSALS: ReadonlyMap<number, Refusal> = new Map([
  [-101, "no-node"],
  [-103, "bad-version"],
  [-110, "exists"],
  [-111, "not-empty"],
]);

/** Why the server did not do what it was asked, where that is an answer and no failure. */
export type Refusal = "no-node" | "bad-version" | "exists" | "not-empty";

/** What a failure is told with. */
export interface Doing {
  /** As in "cannot … ": `write /tidemark/job/head`. */
  readonly doing: string;
  /** The servers, for messages. */
  readonly servers: string;
  /** It writes: a lost reply leaves open whether it happened. */
  readonly writes: boolean;
}

/** The answer that a code is, or undefined when it is a failure. */
export function refusalOf(error: unknown): Refusal | undefined {
  return REFUSALS.get(codeOf(error) ?? 0);
}

/** Whether an operation of a transaction is the one for which the others were not done. */
export function isCulprit(code: number): boolean {
  return code !== 0 && code !== RUNTIME_INCONSISTENCY;
}

/** The error to throw for a call that failed; errors of this package stay as they are. */
export function failureOf(error: unknown, { doing, servers, writes }: Doing): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = `cannot ${doing} (ZooKeeper at ${servers}): ${messageOf(error)}`;
  const hint = wrongConfiguration(codeOf(error));
  if (hint !== undefined) return new ConfigError(message, { hint, cause: error });
  if (writes) return new OutcomeUnknownError(message, { cause: error });
  return new TransientError(message, { cause: error });
}

/** The error for servers that could not be reached: nothing was sent. */
export function unreachable(servers: string, error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = `cannot connect to ZooKeeper at ${servers}: ${messageOf(error)}`;
  const hint = wrongConfiguration(codeOf(error));
  if (hint !== undefined) return new ConfigError(message, { hint, cause: error });
  const many = servers.includes(",") ? ", more than half of its servers" : "";
  return new TransientError(message, { hint: `is it running${many}, and reached at ${servers}?`, cause: error });
}

/** The code of the driver's error, or of a socket's undefined. */
function codeOf(error: unknown): number | undefined {
  const isCoded = error instanceof Error && "code" in error && typeof error.code === "number";
  return isCoded ? Number(error.code) : undefined;
}

function wrongConfiguration(code: number | undefined): string | undefined {
  switch (code) {
    case NO_AUTH:
      return "the user and password are not those that may do this: compare with zkCli.sh: getAcl PATH";
    case AUTH_FAILED:
      return "the server does not take this user and password";
    case INVALID_ACL:
      return "the server takes no nodes with access rights without a user: give user and password";
    case QUOTA_EXCEEDED:
      return "raise the quota: zkCli.sh: listquota PATH, setquota";
    default:
      return undefined;
  }
}
