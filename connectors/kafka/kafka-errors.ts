// Turns what the Kafka library and the brokers say into errors that tell what to do: change an option (ConfigError) or
// try again (TransientError). Messages name the broker; they never repeat what was sent to log in.

import { ConfigError, messageOf, TidemarkError, TransientError } from "../../runtime/index.ts";
import type { SaslOptions } from "./connection-options.ts";
import { findErrorBy, protocolErrors, protocolErrorsCodesById } from "./library.ts";

/** The brokers' error codes that are told apart (https://kafka.apache.org/protocol#protocol_error_codes). */
export const BrokerError = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  invalidTopic: 17,
  unknownMemberId: 25,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  unsupportedVersion: 35,
} as const;

const TRUST_HINT =
  "say whom to trust: tls: { ca: readFileSync(…) }, the authority that signed the broker's certificate";
/** Failures of TLS that no retry heals, by Node's code, each with what to do. */
const TLS_HINTS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: TRUST_HINT,
  SELF_SIGNED_CERT_IN_CHAIN: TRUST_HINT,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: TRUST_HINT,
  UNABLE_TO_GET_ISSUER_CERT: TRUST_HINT,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TRUST_HINT,
  CERT_SIGNATURE_FAILURE: TRUST_HINT,
  CERT_HAS_EXPIRED: "the broker's certificate must be renewed",
  CERT_NOT_YET_VALID: "is this machine's clock right?",
  ERR_TLS_CERT_ALTNAME_INVALID:
    "connect by a name that is in the broker's certificate, or say which one: tls: { serverName }",
};
const CLIENT_CERT_HINT = "the broker wants a certificate that it trusts: tls: { cert, key }";
const AUTHENTICATION_FAILED = 58;

/** Where something failed, and with which login. */
export interface FailurePlace {
  /** host:port */
  readonly broker: string;
  readonly sasl: SaslOptions | undefined;
}

/**
 * What a failed connection or request means.
 * @param seen an earlier error of the same connection, which may tell more than "closed" does
 */
export function asKafkaError(failure: unknown, place: FailurePlace, seen?: unknown): TidemarkError {
  if (failure instanceof TidemarkError) return failure;
  const errors = [...causes(failure), ...causes(seen)];
  const login = errors.map((error) => loginError(error, place)).find((found) => found !== undefined);
  const found = login ?? errors.map((error) => tlsError(error, place)).find((tls) => tls !== undefined);
  if (found !== undefined) return found;
  const reason = errors
    .map(messageOf)
    .filter((message) => message !== "")
    .at(-1);
  const isReset = errors.some((error) => messageOf(error).includes("secure TLS connection was established"));
  return new TransientError(`cannot reach the Kafka broker at ${place.broker}: ${reason ?? "unknown"}`, {
    cause: failure,
    hint: isReset
      ? "does this port speak TLS? if not, leave tls out"
      : "is it running, and can this machine connect to it? (brokers are found by their advertised.listeners)",
  });
}

/** What a broker's error code means. `doing` says what was asked for: "list the offsets of payments:3". */
export function brokerError(code: number, doing: string, broker: string): TidemarkError {
  const name = protocolErrorsCodesById[code] ?? `error ${code}`;
  const said = `Kafka at ${broker} cannot ${doing}: ${name}`;
  const details = { code: `KAFKA_${name}`, cause: new Error(protocolErrors[name]?.message ?? name) };
  switch (code) {
    case BrokerError.topicAuthorizationFailed:
      return new ConfigError(said, { ...details, hint: "allow it: kafka-acls --add --operation Read --topic …" });
    case BrokerError.groupAuthorizationFailed:
      return new ConfigError(said, { ...details, hint: "allow it: kafka-acls --add --operation Read --group …" });
    case BrokerError.clusterAuthorizationFailed:
      return new ConfigError(said, { ...details, hint: "allow it: kafka-acls --add --cluster …" });
    case BrokerError.invalidTopic:
      return new ConfigError(said, { ...details, hint: "a topic's name has letters, digits, '.', '_' and '-' only" });
    case BrokerError.unsupportedVersion:
      return new ConfigError(said, { ...details, hint: "Kafka 3.1 or later is needed" });
    default:
      return new TransientError(said, details);
  }
}

function loginError(error: unknown, { broker, sasl }: FailurePlace): ConfigError | undefined {
  if (sasl === undefined || !(error instanceof Error)) return undefined;
  const who = sasl.mechanism === "OAUTHBEARER" ? "the token" : `the user "${sasl.username}" or its password`;
  // Only what the broker has said counts: a connection that broke off while logging in may be a restart.
  const isRefused =
    findErrorBy(error, "apiCode", AUTHENTICATION_FAILED) !== null ||
    /server signature|invalid_token/.test(error.message);
  if (isRefused) {
    return new ConfigError(`Kafka at ${broker} does not accept ${who} (${sasl.mechanism})`, {
      code: "KAFKA_LOGIN",
      hint: "check them in the URL, or in sasl, and that the broker knows them for this mechanism",
    });
  }
  const isUnknownMechanism =
    findErrorBy(error, "apiId", "UNSUPPORTED_SASL_MECHANISM") ?? findErrorBy(error, "apiId", "ILLEGAL_SASL_STATE");
  if (isUnknownMechanism === null) return undefined;
  return new ConfigError(`Kafka at ${broker} has no login by ${sasl.mechanism} on this port`, {
    code: "KAFKA_LOGIN",
    hint: "check sasl.mechanism and the port: each listener has mechanisms of its own, or none",
  });
}

function tlsError(error: unknown, { broker }: FailurePlace): ConfigError | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const found = (what: string, hint: string) =>
    new ConfigError(`no TLS with Kafka at ${broker}: ${what}`, { code: "KAFKA_TLS", cause: error, hint });
  const hint = TLS_HINTS[code];
  if (hint !== undefined) return found(error.message, hint);
  if (/^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) return found(error.message, CLIENT_CERT_HINT);
  if (/^ERR_SSL_(WRONG_VERSION|PACKET_LENGTH)/.test(code)) {
    return found(error.message, "does this port speak TLS? if not, leave tls out");
  }
  if (error.message === "Broker requires TLS.") {
    return found(
      "this port wants TLS, and tls is not set",
      "set tls: true (?tls=true in a URL), or tls: { ca: readFileSync(…) }",
    );
  }
  return undefined;
}

/** An error, and what it comes from. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let next = error; next !== undefined && next !== null && chain.length < 10; ) {
    chain.push(next);
    next =
      next instanceof AggregateError ? (next.cause ?? next.errors[0]) : next instanceof Error ? next.cause : undefined;
  }
  return chain;
}
