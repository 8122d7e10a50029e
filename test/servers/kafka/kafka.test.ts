// The broker that tests and people are given: every listener takes those whom it should and refuses the others, for
// Java's clients and for the one that Tidemark is built on; and it comes back as it was.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Admin, type ConnectionOptions } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kafkaServer, ownKafkaServer, serverStartTimeoutMs } from "../for-tests.ts";
import { waitUntil } from "../wait-until.ts";
import { bootstrapOf, clientProperties } from "./client-properties.ts";
import { runKafkaTool } from "./run-kafka-tool.ts";
import type { KafkaAddresses } from "./server.ts";
import type { Listener, Mechanism } from "./server-properties.ts";
import { unsecuredToken } from "./unsecured-token.ts";

const { signal } = new AbortController();
let folder: string;
let server: KafkaAddresses;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kafka-"));
  server = await kafkaServer();
}, serverStartTimeoutMs);

afterAll(() => rm(folder, { recursive: true }));

type AnyMechanism = Mechanism | "oauthbearer";

/** Every listener, with every mechanism where there is a choice. */
const waysIn: readonly { name: string; listener: Listener; mechanism?: AnyMechanism }[] = [
  { name: "plaintext", listener: "plaintext" },
  { name: "sasl-plain", listener: "sasl", mechanism: "plain" },
  { name: "sasl-scram-sha-256", listener: "sasl", mechanism: "scram-sha-256" },
  { name: "sasl-scram-sha-512", listener: "sasl", mechanism: "scram-sha-512" },
  { name: "sasl-oauthbearer", listener: "sasl", mechanism: "oauthbearer" },
  { name: "tls", listener: "tls" },
  { name: "mutual-tls", listener: "mutual" },
  { name: "sasl-tls", listener: "sasl-tls", mechanism: "scram-sha-512" },
];

/** The answer of the cluster to one who knocks once. */
async function clusterId(bootstrap: string, options: ConnectionOptions = {}): Promise<string> {
  const admin = new Admin({
    clientId: "test",
    bootstrapBrokers: [bootstrap],
    retries: false,
    timeout: 5_000,
    ...options,
  });
  try {
    return (await admin.metadata({ topics: [] })).id;
  } finally {
    await admin.close();
  }
}

/** Why the client was refused: the codes of the error, of those in it, and of their causes, outermost first. */
async function refusal(bootstrap: string, options: ConnectionOptions = {}): Promise<string> {
  const codesOf = (error: unknown): string[] => {
    if (!(error instanceof Error)) return [];
    const { code = error.message, errors = [] } = error as Error & { code?: string; errors?: unknown[] };
    return [code, ...[...errors, error.cause].flatMap(codesOf)];
  };
  return await clusterId(bootstrap, options).then(
    () => "let in",
    (error) => codesOf(error).join(" "),
  );
}

function saslOf(mechanism: AnyMechanism): ConnectionOptions {
  if (mechanism === "oauthbearer") {
    return { sasl: { mechanism: "OAUTHBEARER", token: unsecuredToken({ subject: "someone", lifetimeMs: 60_000 }) } };
  }
  const name = ({ plain: "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512" } as const)[
    mechanism
  ];
  return { sasl: { mechanism: name, ...server.users[mechanism] } };
}

function optionsOf(listener: Listener, mechanism?: AnyMechanism): ConnectionOptions {
  const ca = { ca: readFileSync(server.ca) };
  const own = { cert: readFileSync(server.clientCert), key: readFileSync(server.clientKey) };
  return {
    ...(listener === "plaintext" || listener === "sasl" ? {} : { tls: listener === "mutual" ? { ...ca, ...own } : ca }),
    ...(mechanism && saslOf(mechanism)),
  };
}

describe("the run's broker", () => {
  test.each(waysIn)(
    "Java's console producer and consumer pass a record through $name",
    async ({ name, listener, mechanism }) => {
      const properties = join(folder, `${name}.properties`);
      await writeFile(properties, clientProperties(server, listener, mechanism));
      const at = ["--bootstrap-server", bootstrapOf(server, listener), "--command-config", properties];
      const topic = ["--topic", `through-${name}`];
      await runKafkaTool("topics", [...at, "--create", ...topic], { signal });
      await runKafkaTool("console-producer", [...at, ...topic], { signal, input: "a record\n" });
      const once = ["--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"];
      const { stdout } = await runKafkaTool("console-consumer", [...at, ...topic, ...once], { signal });
      expect(stdout).toBe("a record\n");
    },
  );

  test.each(waysIn)("Tidemark's client is let in through $name", async ({ listener, mechanism }) => {
    const id = await clusterId(bootstrapOf(server, listener), optionsOf(listener, mechanism));
    expect(id).toBe(await clusterId(server.bootstrap));
  });

  test.each(["plain", "scram-sha-256", "scram-sha-512"] as const)(
    "a wrong password is refused: %s",
    async (mechanism) => {
      const { sasl } = saslOf(mechanism);
      const wrong = sasl && { sasl: { ...sasl, password: "wrong" } };
      expect(await refusal(server.saslBootstrap, wrong)).toContain("PLT_KFK_AUTHENTICATION");
    },
  );

  test("an expired token is refused", async () => {
    const token = unsecuredToken({ subject: "someone", lifetimeMs: -3_600_000 });
    // The broker's answer says why in a challenge, which this client takes for a yes: its next request is refused.
    expect(await refusal(server.saslBootstrap, { sasl: { mechanism: "OAUTHBEARER", token } })).toContain(
      "PLT_KFK_RESPONSE PLT_KFK_PROTOCOL",
    );
  });

  test("a broker whose certificate another authority has signed is not trusted", async () => {
    const tls = { ca: readFileSync(server.strangerCa) };
    expect(await refusal(server.tlsBootstrap, { tls })).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test("mutual TLS refuses a client without a certificate, and one with a stranger's", async () => {
    const ca = readFileSync(server.ca);
    expect(await refusal(server.mutualTlsBootstrap, { tls: { ca } })).toContain("PLT_KFK_NETWORK");
    const strangers = { cert: readFileSync(server.strangerCert), key: readFileSync(server.strangerKey) };
    expect(await refusal(server.mutualTlsBootstrap, { tls: { ca, ...strangers } })).toContain("PLT_KFK_NETWORK");
  });

  test("topics are not made by asking for them", async () => {
    const admin = new Admin({ clientId: "test", bootstrapBrokers: [server.bootstrap], retries: false });
    const [asked, made] = [`asked-${randomUUID()}`, `made-${randomUUID()}`];
    await expect(admin.metadata({ topics: [asked], autocreateTopics: true })).rejects.toThrow("Unknown topic");
    // A topic takes a moment to appear: by the time that a later one is there, the earlier one would be.
    await admin.createTopics({ topics: [made], partitions: 1, replicas: 1 });
    const seesMade = async () => (await admin.listTopics()).includes(made);
    await waitUntil(seesMade, { what: "The topic is there", withinMs: 10_000, signal });
    expect(await admin.listTopics()).not.toContain(asked);
    await admin.close();
  });
});

describe("a broker of one's own", () => {
  test("comes back from a restart and from a kill as it was, and answers nothing while it is paused", async () => {
    await using own = await ownKafkaServer();
    const at = ["--bootstrap-server", own.bootstrap];
    const topic = ["--topic", "kept"];
    const id = await clusterId(own.bootstrap);
    expect(id).not.toBe(await clusterId(server.bootstrap));
    await runKafkaTool("topics", [...at, "--create", ...topic], { signal });
    await runKafkaTool("console-producer", [...at, ...topic], { signal, input: "one\ntwo\n" });
    const consume = async (count: number) => {
      const args = [...at, ...topic, "--group", "readers", "--max-messages", `${count}`, "--timeout-ms", "20000"];
      const first = ["--command-property", "auto.offset.reset=earliest"];
      return (await runKafkaTool("console-consumer", [...args, ...first], { signal })).stdout;
    };
    expect(await consume(1)).toBe("one\n");
    await own.restart();
    expect(await clusterId(own.bootstrap)).toBe(id);
    await own.kill();
    expect(await refusal(own.bootstrap)).toContain("ECONNREFUSED");
    await own.start();
    expect(await consume(1)).toBe("two\n");
    const { stdout } = await runKafkaTool("consumer-groups", [...at, "--describe", "--group", "readers"], { signal });
    expect(stdout).toMatch(/readers\s+kept\s+0\s+2\s+2\s+0/);
    own.pause();
    expect(await refusal(own.bootstrap, { requestTimeout: 500 })).toBe("PLT_KFK_NETWORK"); // connected, no answer
    own.resume();
    expect(await clusterId(own.bootstrap)).toBe(id);
  }, 120_000);
});
