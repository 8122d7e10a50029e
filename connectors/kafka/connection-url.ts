// How to reach a cluster, out of a URL: kafka://[user:password@]host:9092[,host:9092][/path][?tls=true&mechanism=…].
// What the path and other parameters mean is for those to say who take such a URL. No message may show a password.
import { ConfigError } from "../../runtime/index.ts";
import type { KafkaConnectionOptions, SaslOptions } from "./connection-options.ts";

const URL_PARTS = /^kafka:\/\/(?:(?<login>.*)@)?(?<hosts>[^/?#@]+)(?:\/(?<path>[^/?#]*))?(?:\?(?<query>[^#]*))?$/is;
const DEFAULT_MECHANISM = "SCRAM-SHA-512";
type Mechanism = Exclude<SaslOptions["mechanism"], "OAUTHBEARER">;

/** What a URL says. */
export interface ConnectionUrl {
  readonly connection: KafkaConnectionOptions;
  /** "" when there is none. */
  readonly path: string;
  /** Those that say nothing about the connection. */
  readonly parameters: URLSearchParams;
}

/**
 * Takes a URL apart. `example`: for the hint.
 * @throws ConfigError it cannot be read; the password is not repeated
 */
export function parseConnectionUrl(url: string, example: string): ConnectionUrl {
  const { login, hosts, path = "", query = "" } = URL_PARTS.exec(url)?.groups ?? {};
  const wrong = (why: string) => new ConfigError(`the URL of Kafka ${why}`, { hint: `write ${example}` });
  if (hosts === undefined) throw wrong("names no broker");
  const parameters = new URLSearchParams(query);
  const tls = parameters.get("tls") ?? "false";
  if (tls !== "true" && tls !== "false") throw wrong("has tls, which is neither true nor false");
  const mechanism = parameters.get("mechanism") ?? DEFAULT_MECHANISM;
  parameters.delete("tls");
  parameters.delete("mechanism");
  const connection: KafkaConnectionOptions = { brokers: hosts.split(","), tls: tls === "true" };
  if (login === undefined) return { connection, path, parameters };
  const [, username = "", password = ""] = /^([^:]+):(.*)$/s.exec(login) ?? [];
  if (username === "") throw wrong("has no user:password before its @");
  try {
    // Another mechanism is refused where the options are checked.
    const named = mechanism as Mechanism;
    const sasl = { mechanism: named, username: decodeURIComponent(username), password: decodeURIComponent(password) };
    return { connection: { ...connection, sasl }, path, parameters };
  } catch {
    throw wrong("has a user or password with a % that is no escape (write %25 for a %)");
  }
}
