// The broker's configuration: one node that is broker and controller (KRaft), with a listener for each way to connect,
// set for tests: as quick as one node can be, and never forgetting a record because its timestamp is old.
import { join } from "node:path";
import type { Place } from "../server-kind.ts";

/** Listeners by the name of their port, and what each speaks. "mutual" demands a client's certificate. */
export const listeners = {
  plaintext: "PLAINTEXT",
  sasl: "SASL_PLAINTEXT",
  tls: "SSL",
  mutual: "SSL",
  "sasl-tls": "SASL_SSL",
  /** Advertised under another port, on which a test may have a proxy. */
  proxied: "PLAINTEXT",
} as const;

/** The port by which clients are told to connect to the listener "proxied"; nothing listens there by itself. */
export const proxyPort = "proxy";

export type Listener = keyof typeof listeners;

export type Mechanism = "plain" | "scram-sha-256" | "scram-sha-512";

/** Each mechanism has a user of its own: that one mechanism knows a user says nothing about another. */
export const userNames: Readonly<Record<Mechanism, string>> = {
  plain: "plain-user",
  "scram-sha-256": "scram-256-user",
  "scram-sha-512": "scram-512-user",
};

const plainModule = "org.apache.kafka.common.security.plain.PlainLoginModule";
const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
const oauth =
  "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required" +
  ' unsecuredLoginStringClaim_sub="broker";';

function listenerName(name: Listener): string {
  return name.replace("-", "").toUpperCase();
}

function saslOf(name: Listener, password: string): string[] {
  const prefix = `listener.name.${listenerName(name).toLowerCase()}`;
  const plain = `${plainModule} required user_${userNames.plain}="${password}";`;
  return [
    `${prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER`,
    `${prefix}.plain.sasl.jaas.config=${plain}`,
    `${prefix}.scram-sha-256.sasl.jaas.config=${scram}`,
    `${prefix}.scram-sha-512.sasl.jaas.config=${scram}`,
    // Accepts what nobody signed: for tests of the protocol, not of the tokens.
    `${prefix}.oauthbearer.sasl.jaas.config=${oauth}`,
  ];
}

/** The text of server.properties. */
export function serverProperties({ folder, ports, password, certificates }: Place): string {
  const names = Object.keys(listeners) as Listener[];
  const at = (name: string) => `//127.0.0.1:${ports[name]}`;
  const addresses = names.map((name) => `${listenerName(name)}:${at(name)}`);
  const advertised = names.map((name) => `${listenerName(name)}:${at(name === "proxied" ? proxyPort : name)}`);
  const protocols = names.map((name) => `${listenerName(name)}:${listeners[name]}`);
  return `${[
    "process.roles=broker,controller",
    "node.id=1",
    `controller.quorum.voters=1@127.0.0.1:${ports["controller"]}`,
    "controller.listener.names=CONTROLLER",
    "inter.broker.listener.name=PLAINTEXT",
    `listeners=${[...addresses, `CONTROLLER:${at("controller")}`].join(",")}`,
    `advertised.listeners=${advertised.join(",")}`,
    `listener.security.protocol.map=${[...protocols, "CONTROLLER:PLAINTEXT"].join(",")}`,
    ...saslOf("sasl", password),
    ...saslOf("sasl-tls", password),
    "ssl.keystore.type=PEM",
    `ssl.keystore.location=${certificates.serverPem}`,
    "ssl.truststore.type=PEM",
    `ssl.truststore.location=${certificates.ca}`,
    "ssl.client.auth=none",
    "listener.name.mutual.ssl.client.auth=required",
    // Whatever has no rule of its own is open to all; who comes without a name may do everything, and the broker does.
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:ANONYMOUS",
    "allow.everyone.if.no.acl.found=true",
    `log.dirs=${join(folder, "data")}`,
    ...quickSettings(1),
  ].join("\n")}\n`;
}

/** What makes brokers quick enough for tests; internal topics are kept by `replication` brokers. */
export function quickSettings(replication: number): string[] {
  return [
    "auto.create.topics.enable=false",
    `default.replication.factor=${replication}`,
    ...["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"].flatMap((topic) => [
      `${topic}.replication.factor=${replication}`,
      `${topic}.num.partitions=4`,
    ]),
    "transaction.state.log.min.isr=1",
    "share.coordinator.state.topic.min.isr=1",
    "group.initial.rebalance.delay.ms=0",
    // After a kill the next start waits until the old session has ended: 9 s by default.
    "broker.session.timeout.ms=4000",
    "broker.heartbeat.interval.ms=500",
    // An idle broker is idle, not at work twice a second.
    "metadata.max.idle.interval.ms=5000",
    // Tests write records of any age.
    "log.retention.ms=-1",
    // What a broker does in the background, tests wait for: compaction, and the end of transactions left open.
    "log.initial.task.delay.ms=500",
    "log.cleaner.backoff.ms=500",
    "log.cleaner.dedupe.buffer.size=16777216",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000",
  ];
}
