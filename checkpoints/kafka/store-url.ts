// The URL of a Kafka store: kafka://[user:password@]host:9092[,host:9092][/topic][?tls=true&mechanism=…&adoptGroup=…].
// Certificates and tokens do not fit into a URL: those are given to kafkaStore() as options.
import { type KafkaConnectionOptions, parseConnectionUrl } from "../../connectors/kafka/for-stores.ts";
import { ConfigError } from "../../runtime/index.ts";

const EXAMPLE = 'kafka://broker1:9092,broker2:9092, or kafkaStore({ brokers: ["broker1:9092"], … }) with all options';

/** What a URL says. */
export interface StorePlace extends KafkaConnectionOptions {
  /** undefined: the default. */
  readonly topic: string | undefined;
  readonly adoptGroup: boolean;
}

/** @throws ConfigError it is no such URL; the password is not repeated */
export function parseStoreUrl(url: string): StorePlace {
  const { connection, path, parameters } = parseConnectionUrl(url, EXAMPLE);
  const wrong = (why: string) =>
    new ConfigError(`the URL of the Kafka checkpoint store cannot be right: ${why}`, { hint: `write ${EXAMPLE}` });
  const unknown = [...parameters.keys()].find((name) => name !== "adoptGroup");
  if (unknown !== undefined) {
    throw wrong(`it has no parameter "${unknown.slice(0, 40)}", only tls, mechanism and adoptGroup`);
  }
  const adoptGroup = parameters.get("adoptGroup") ?? "false";
  if (adoptGroup !== "true" && adoptGroup !== "false") throw wrong("adoptGroup is true or false");
  return { ...connection, topic: path === "" ? undefined : path, adoptGroup: adoptGroup === "true" };
}
