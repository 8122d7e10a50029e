// Kafka, as one node with all listeners that a client may have to deal with. Its log is formatted once, with the SCRAM
// users in it; ports may change from start to start, the data stay.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { javaDefaults, javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { mustRun } from "../run-program.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { isBrokerReady } from "./is-broker-ready.ts";
import { listeners, type Mechanism, proxyPort, serverProperties, userNames } from "./server-properties.ts";

const pom = fileURLToPath(new URL("pom.xml", import.meta.url));
const logging = fileURLToPath(new URL("log4j2.properties", import.meta.url));
const heap = ["-Xms128m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError"];

export interface KafkaUser {
  readonly username: string;
  readonly password: string;
}

/** What a client needs to connect. Each bootstrap is "127.0.0.1:PORT"; certificates are paths of PEM files. */
export interface KafkaAddresses {
  readonly bootstrap: string;
  readonly saslBootstrap: string;
  readonly tlsBootstrap: string;
  /** TLS that demands a client's certificate. */
  readonly mutualTlsBootstrap: string;
  /** SASL over TLS. */
  readonly saslTlsBootstrap: string;
  /** Where a test may have a proxy, which forwards to `proxiedPort` of 127.0.0.1. */
  readonly proxiedBootstrap: string;
  readonly proxiedPort: number;
  /** On both SASL listeners. OAUTHBEARER takes any token of unsecuredToken(). */
  readonly users: Readonly<Record<Mechanism, KafkaUser>>;
  readonly ca: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** Key and certificate in one file, as Java clients want them. */
  readonly clientPem: string;
  /** An authority that did not sign the broker's certificate, and a client's certificate that the broker refuses. */
  readonly strangerCa: string;
  readonly strangerCert: string;
  readonly strangerKey: string;
  readonly strangerPem: string;
}

export const kafka: ServerKind<KafkaAddresses> = {
  name: "kafka",
  ports: [...Object.keys(listeners), proxyPort, "controller"],
  environment: ({ bootstrap }) => ({ KAFKA_BROKERS: bootstrap }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<KafkaAddresses>> {
    await requireJava(signal);
    const { folder, ports } = place;
    const data = join(folder, "data");
    await mkdir(data, { recursive: true });
    const configuration = await writeConfiguration(place);
    const java = await brokerJava(place, heap, say, signal);
    if (!existsSync(join(data, "meta.properties"))) await format(java, configuration, place, signal);
    const isReady = (asked: AbortSignal) => isBrokerReady(ports["plaintext"] ?? 0, asked);
    const args = [...java, "kafka.Kafka", configuration];
    return {
      processes: [{ name: "kafka", file: "java", args, cwd: folder, stopSignal: "SIGTERM", isReady }],
      addresses: addressesOf(place),
    };
  },
};

/** A cluster's id is a UUID in base64url; this is none that begins like an option. */
export function newClusterId(): string {
  return `T${randomBytes(16).toString("base64url").slice(1)}`;
}

/** What stands before the main class, when Java runs a broker. */
export async function brokerJava(
  { folder, root }: Place,
  heapOptions: readonly string[],
  say: Say,
  signal: AbortSignal,
): Promise<string[]> {
  const jars = await jarsOf(pom, root, say, signal);
  const temporary = join(folder, "tmp");
  await mkdir(temporary, { recursive: true });
  const log4j = `-Dlog4j2.configurationFile=${logging}`;
  return [...javaDefaults, ...heapOptions, `-Djava.io.tmpdir=${temporary}`, log4j, "-cp", jars];
}

async function writeConfiguration(place: Place): Promise<string> {
  const configuration = join(place.folder, "server.properties");
  await writeFile(configuration, serverProperties(place), { mode: 0o600 });
  return configuration;
}

async function format(java: string[], configuration: string, { folder, password }: Place, signal: AbortSignal) {
  const users = (["scram-sha-256", "scram-sha-512"] as const).flatMap((mechanism) => [
    "--add-scram",
    `${mechanism.toUpperCase()}=[name=${userNames[mechanism]},password=${password}]`,
  ]);
  const args = ["kafka.tools.StorageTool", "format", "-t", newClusterId(), "-c", configuration, ...users];
  await mustRun("java", [...java, ...args], { cwd: folder, installHint: javaInstallHint, signal });
}

function addressesOf({ ports, password, certificates }: Place): KafkaAddresses {
  const at = (name: string) => `127.0.0.1:${ports[name]}`;
  const user = (mechanism: Mechanism) => ({ username: userNames[mechanism], password });
  const { ca, clientCert, clientKey, clientPem, strangerCa, strangerCert, strangerKey, strangerPem } = certificates;
  return {
    bootstrap: at("plaintext"),
    saslBootstrap: at("sasl"),
    tlsBootstrap: at("tls"),
    mutualTlsBootstrap: at("mutual"),
    saslTlsBootstrap: at("sasl-tls"),
    proxiedBootstrap: at(proxyPort),
    proxiedPort: ports["proxied"] ?? 0,
    users: { plain: user("plain"), "scram-sha-256": user("scram-sha-256"), "scram-sha-512": user("scram-sha-512") },
    ca,
    clientCert,
    clientKey,
    clientPem,
    strangerCa,
    strangerCert,
    strangerKey,
    strangerPem,
  };
}
