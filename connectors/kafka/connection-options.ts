// How to reach a Kafka cluster: the options that the source, the sink and the store share, checked before anything is
// connected. Passwords and tokens leave this file only towards the connection, never into a message.
import { isIP } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import { ConfigError, messageOf } from "../../runtime/index.ts";

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const;

/** Who the job is to the brokers. */
export type SaslOptions =
  | {
      readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
      readonly username: string;
      readonly password: string;
    }
  | {
      readonly mechanism: "OAUTHBEARER";
      /** The bearer token, or where to get a fresh one: asked for whenever a connection is made or renewed. */
      readonly token: string | (() => string | Promise<string>);
    };

/** Certificates and keys as PEM text or bytes, not as paths. */
export interface TlsOptions {
  /** Whom to trust, in place of the public authorities that Node knows. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** The job's own certificate, where brokers ask for one, and its key. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly passphrase?: string;
  /** The name that brokers' certificates must have; default: the host that is connected to. */
  readonly serverName?: string;
}

export interface KafkaConnectionOptions {
  /** Some of the cluster's brokers, as host:port; the others are found through them. */
  readonly brokers: readonly string[];
  /** What the brokers' logs and quotas call this client; default `tidemark-<job's name>`. */
  readonly clientId?: string;
  readonly sasl?: SaslOptions;
  /** true: TLS with the public authorities that Node knows. Certificates are always verified. Default false. */
  readonly tls?: boolean | TlsOptions;
  /** For a connection to be made, TLS and login included; at least 1, default 5,000. */
  readonly connectTimeoutMs?: number;
  /** For a request to be answered; at least 1,000, default 30,000. */
  readonly requestTimeoutMs?: number;
}

/** One broker's address. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** The options, checked, with their defaults. */
export interface CheckedConnectionOptions {
  readonly bootstrap: readonly BrokerAddress[];
  readonly clientId: string;
  readonly sasl: SaslOptions | undefined;
  readonly tls: { readonly secureContext: SecureContext; readonly serverName: string | undefined } | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/**
 * Checks the options.
 * @throws ConfigError one of them is wrong
 */
export function checkConnectionOptions(options: KafkaConnectionOptions, jobName: string): CheckedConnectionOptions {
  const { brokers, sasl, connectTimeoutMs, requestTimeoutMs } = options;
  if (!Array.isArray(brokers) || brokers.length === 0) {
    throw new ConfigError("Kafka needs brokers to connect to", { hint: 'brokers: ["127.0.0.1:9092"]' });
  }
  if (sasl !== undefined) checkSasl(sasl);
  return {
    bootstrap: brokers.map(parseBroker),
    clientId: options.clientId ?? `tidemark-${jobName}`,
    sasl,
    tls: options.tls === undefined || options.tls === false ? undefined : secure(options.tls),
    connectTimeoutMs: checkTimeout("connectTimeoutMs", connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS, 1),
    requestTimeoutMs: checkTimeout("requestTimeoutMs", requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS, 1000),
  };
}

/** A broker's address as it is written: host:port. */
export function formatBroker({ host, port }: BrokerAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseBroker(broker: unknown): BrokerAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+)):(\d{1,5})$/.exec(String(broker)) ?? [];
  const host = bracketed ?? plain;
  if (host !== undefined && port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    return { host, port: Number(port) };
  }
  throw new ConfigError(`"${String(broker)}" is no Kafka broker's address`, {
    hint: 'write host:port: brokers: ["127.0.0.1:9092"]',
  });
}

function checkSasl(sasl: SaslOptions): void {
  if (!MECHANISMS.some((mechanism) => mechanism === sasl.mechanism)) {
    throw new ConfigError(`sasl.mechanism cannot be "${String(sasl.mechanism)}"`, {
      hint: `it is one of ${MECHANISMS.join(", ")}`,
    });
  }
  if (sasl.mechanism === "OAUTHBEARER") {
    if (typeof sasl.token === "function" || (typeof sasl.token === "string" && sasl.token !== "")) return;
    throw new ConfigError("sasl with OAUTHBEARER needs a token", {
      hint: 'sasl: { mechanism: "OAUTHBEARER", token: async () => … }',
    });
  }
  if (typeof sasl.username === "string" && sasl.username !== "" && typeof sasl.password === "string") return;
  throw new ConfigError(`sasl with ${sasl.mechanism} needs a username and a password`, {
    hint: "is the environment variable that holds it set?",
  });
}

function secure(tls: true | TlsOptions): NonNullable<CheckedConnectionOptions["tls"]> {
  const { ca, cert, key, passphrase, serverName } = tls === true ? ({} as TlsOptions) : tls;
  if ((cert === undefined) !== (key === undefined)) {
    throw new ConfigError("tls needs both cert and key, or neither");
  }
  try {
    const secureContext = createSecureContext({
      ...(ca === undefined ? {} : { ca: typeof ca === "string" || Buffer.isBuffer(ca) ? ca : [...ca] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
    return { secureContext, serverName };
  } catch (error) {
    throw new ConfigError(`the tls options cannot be used: ${messageOf(error)}`, {
      cause: error,
      hint: 'ca, cert and key are PEM text, not paths: tls: { ca: readFileSync("ca.pem") }',
    });
  }
}

function checkTimeout(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least && value <= 2 ** 31 - 1) return value;
  throw new ConfigError(`${name} must be a whole number of milliseconds, at least ${least}, not ${String(value)}`);
}
