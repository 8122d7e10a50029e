// The URL of a Kafka store: kafka://[user:password@]host:9092[,host:9092][/topic][?tls=true&mechanism=SCRAM-SHA-256].
// Certificates and tokens do not fit into a URL: those are given to kafkaStore() as options.
import type { KafkaConnectionOptions } from "../../connectors/kafka/for-stores.ts";
import { ConfigError, messageOf } from "../../runtime/index.ts";

const EXAMPLE = "kafka://broker1:9092,broker2:9092";
const PARAMETERS = ["tls", "mechanism"];
const DEFAULT_MECHANISM = "SCRAM-SHA-512";
type Mechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** What a URL says. */
export interface StorePlace extends KafkaConnectionOptions {
  /** undefined: the default. */
  readonly topic: string | undefined;
}

/** @throws ConfigError it is no such URL; the password is not repeated */
export function parseStoreUrl(url: string): StorePlace {
  const [, login, hosts = "", topic, query = ""] =
    /^kafka:\/\/(?:(.*)@)?([^/?@]+)(?:\/([^/?]*))?(?:\?(.*))?$/is.exec(url) ?? [];
  if (hosts === "") throw wrong("it names no broker");
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name)) throw wrong(`it has no parameter "${name}", only ${PARAMETERS.join(" and ")}`);
  }
  const tls = parameters.get("tls") ?? "false";
  if (tls !== "true" && tls !== "false") throw wrong("tls is true or false");
  return {
    brokers: hosts.split(","),
    topic: topic === "" ? undefined : topic,
    tls: tls === "true",
    ...(login === undefined ? {} : { sasl: saslOf(login, parameters.get("mechanism") ?? DEFAULT_MECHANISM) }),
  };
}

function saslOf(login: string, mechanism: string): NonNullable<KafkaConnectionOptions["sasl"]> {
  const [, username = "", password = ""] = /^([^:]*):(.*)$/s.exec(login) ?? [];
  if (username === "") throw wrong("before the @ there must be user:password");
  try {
    // Another mechanism is refused where the options are checked.
    const named = mechanism as Mechanism;
    return { mechanism: named, username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch (error) {
    throw wrong(`what is before the @ is not escaped as in URLs (${messageOf(error)})`);
  }
}

function wrong(why: string): ConfigError {
  return new ConfigError(`the URL of the Kafka checkpoint store cannot be right: ${why}`, {
    hint: `for example ${EXAMPLE}; all options: kafkaStore({ brokers: ["broker1:9092"], … })`,
  });
}
