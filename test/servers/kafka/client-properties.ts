// A properties file for Java clients: how to connect to each listener with each mechanism. For tests that let Kafka's
// own tools write and read what Tidemark reads and wrote.
import type { KafkaAddresses } from "./server.ts";
import type { Listener, Mechanism } from "./server-properties.ts";
import { listeners } from "./server-properties.ts";

const security = "org.apache.kafka.common.security";

const bootstraps = {
  plaintext: "bootstrap",
  sasl: "saslBootstrap",
  tls: "tlsBootstrap",
  mutual: "mutualTlsBootstrap",
  "sasl-tls": "saslTlsBootstrap",
  proxied: "proxiedBootstrap",
} as const satisfies Record<Listener, keyof KafkaAddresses>;

/** "127.0.0.1:PORT" of a listener. */
export function bootstrapOf(kafka: KafkaAddresses, listener: Listener): string {
  return kafka[bootstraps[listener]];
}

/** The file's text. `mechanism` counts on the SASL listeners only, where it must be given. */
export function clientProperties(
  kafka: KafkaAddresses,
  listener: Listener,
  mechanism?: Mechanism | "oauthbearer",
): string {
  const protocol = listeners[listener];
  const lines = [`bootstrap.servers=${bootstrapOf(kafka, listener)}`, `security.protocol=${protocol}`];
  if (protocol.endsWith("SSL")) lines.push("ssl.truststore.type=PEM", `ssl.truststore.location=${kafka.ca}`);
  if (listener === "mutual") lines.push("ssl.keystore.type=PEM", `ssl.keystore.location=${kafka.clientPem}`);
  if (protocol.startsWith("SASL") && mechanism !== undefined) lines.push(...saslLines(kafka, mechanism));
  return `${lines.join("\n")}\n`;
}

function saslLines(kafka: KafkaAddresses, mechanism: Mechanism | "oauthbearer"): string[] {
  const login = `sasl.mechanism=${mechanism.toUpperCase()}`;
  if (mechanism === "oauthbearer") {
    const module = `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="client";`;
    const handler = `${security}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredLoginCallbackHandler`;
    return [login, `sasl.jaas.config=${module}`, `sasl.login.callback.handler.class=${handler}`];
  }
  const { username, password } = kafka.users[mechanism];
  const module = mechanism === "plain" ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
  return [login, `sasl.jaas.config=${security}.${module} required username="${username}" password="${password}";`];
}
