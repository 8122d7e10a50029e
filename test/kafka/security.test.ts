// Every way to log in, on real listeners, and every way that it goes wrong: what is wrong is said, with what to change,
// and no password is ever repeated.
import { readFile } from "node:fs/promises";
import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { type KafkaConnectionOptions, kafkaSource } from "../../connectors/kafka/index.ts";
import { ConfigError, TransientError } from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { unsecuredToken } from "../servers/kafka/unsecured-token.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

const signal = AbortSignal.timeout(600_000);

let kafka: KafkaAddresses;
let topic: string;
let pem: Record<"ca" | "clientCert" | "clientKey" | "strangerCa" | "strangerCert" | "strangerKey", Buffer>;
beforeAll(async () => {
  kafka = await kafkaServer();
  await using topics = new BrokerTopics(kafka.bootstrap);
  topic = await topics.create(1);
  await topics.produce(topic, [message(0, "a"), message(0, "b")]);
  const names = ["ca", "clientCert", "clientKey", "strangerCa", "strangerCert", "strangerKey"] as const;
  const files = await Promise.all(names.map(async (name) => [name, await readFile(kafka[name])] as const));
  pem = Object.fromEntries(files) as typeof pem;
}, serverStartTimeoutMs);

/** Reads the topic: the number of records. */
async function count(connection: KafkaConnectionOptions): Promise<number> {
  const source = kafkaSource({ ...connection, topics: topic });
  await using reader = await source.open({ jobName: "tests", baseDir: "/", warn: () => undefined }, signal);
  const range = { topic, partition: 0, fromOffset: 0n, untilOffset: 2n };
  let records = 0;
  for await (const chunk of reader.read(range, { signal, skip: new Set() })) records += chunk.records.length;
  return records;
}

async function failure(connection: KafkaConnectionOptions): Promise<ConfigError | TransientError> {
  const found = await count({ connectTimeoutMs: 3000, ...connection }).catch((error) => error);
  expect(found).toBeInstanceOf(Error);
  return found;
}

const logins = [
  { mechanism: "PLAIN", user: "plain" },
  { mechanism: "SCRAM-SHA-256", user: "scram-sha-256" },
  { mechanism: "SCRAM-SHA-512", user: "scram-sha-512" },
] as const;

describe.each(logins)("$mechanism", ({ mechanism, user }) => {
  it("lets the right user in, with and without TLS", async () => {
    const sasl = { mechanism, ...kafka.users[user] };
    expect(await count({ brokers: [kafka.saslBootstrap], sasl })).toBe(2);
    expect(await count({ brokers: [kafka.saslTlsBootstrap], sasl, tls: { ca: pem.ca } })).toBe(2);
  });

  it("says whose password is wrong, not what it is", async () => {
    const { username } = kafka.users[user];
    for (const sasl of [
      { mechanism, username, password: "s3cret-and-wrong" },
      { mechanism, username: "nobody", password: "s3cret-and-wrong" },
    ]) {
      const error = await failure({ brokers: [kafka.saslBootstrap], sasl });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toContain(`"${sasl.username}"`);
      expect(error.message).toContain(kafka.saslBootstrap);
      expect(error.hint).toMatch(/sasl/);
      expect(inspect(error, { depth: 10 })).not.toContain("s3cret");
    }
  });
});

describe("OAUTHBEARER", () => {
  it("lets a token in, and asks for it anew for each connection", async () => {
    let asked = 0;
    const token = () => {
      asked++;
      return unsecuredToken({ subject: "client", lifetimeMs: 60_000 });
    };
    expect(await count({ brokers: [kafka.saslBootstrap], sasl: { mechanism: "OAUTHBEARER", token } })).toBe(2);
    expect(asked).toBe(1);
    const once = { mechanism: "OAUTHBEARER", token: token() } as const;
    expect(await count({ brokers: [kafka.saslTlsBootstrap], sasl: once, tls: { ca: pem.ca } })).toBe(2);
  });

  it("refuses a token that has expired, and one that is none", async () => {
    for (const token of [unsecuredToken({ subject: "client", lifetimeMs: -60_000 }), "s3cret.x.y"]) {
      const error = await failure({ brokers: [kafka.saslBootstrap], sasl: { mechanism: "OAUTHBEARER", token } });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.message).toMatch(/token/);
      expect(inspect(error, { depth: 10 })).not.toContain(token);
    }
  });
});

describe("TLS", () => {
  it("reads over it, with a client's certificate where one is wanted", async () => {
    expect(await count({ brokers: [kafka.tlsBootstrap], tls: { ca: pem.ca } })).toBe(2);
    const own = { ca: pem.ca, cert: pem.clientCert, key: pem.clientKey };
    expect(await count({ brokers: [kafka.mutualTlsBootstrap], tls: own })).toBe(2);
  });

  it("trusts nobody whom it was not told to", async () => {
    for (const tls of [true, { ca: pem.strangerCa }]) {
      const error = await failure({ brokers: [kafka.tlsBootstrap], tls });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.hint).toMatch(/tls: { ca/);
    }
  });

  it("wants the certificate to have the name that was connected to", async () => {
    const tls = { ca: pem.ca, serverName: "elsewhere.example" };
    const error = await failure({ brokers: [kafka.tlsBootstrap], tls });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toMatch(/name that is in the broker's certificate/);
    expect(await count({ brokers: [kafka.tlsBootstrap], tls: { ca: pem.ca, serverName: "localhost" } })).toBe(2);
  });

  it("says when the broker wants another certificate than it was given", async () => {
    const stranger = { ca: pem.ca, cert: pem.strangerCert, key: pem.strangerKey };
    for (const tls of [{ ca: pem.ca }, stranger]) {
      const error = await failure({ brokers: [kafka.mutualTlsBootstrap], tls });
      expect(error).toBeInstanceOf(ConfigError);
      expect(error.hint).toMatch(/certificate/);
    }
  });

  it("says what is wrong with options that cannot be", () => {
    const wrong = [
      { ca: "ca.pem", cert: "x", key: "y" },
      { cert: pem.clientCert },
      { cert: pem.clientCert, key: pem.strangerKey },
    ];
    for (const tls of wrong) {
      expect(() => kafkaSource({ brokers: [kafka.tlsBootstrap], topics: "t", tls })).toThrow(ConfigError);
    }
  });
});

describe("the wrong port", () => {
  it("for a client without TLS is an error that says to set it", async () => {
    const error = await failure({ brokers: [kafka.tlsBootstrap] });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toMatch(/set tls/);
  });

  it("for a client with TLS is an error that asks whether it should", async () => {
    const error = await failure({ brokers: [kafka.bootstrap], tls: { ca: pem.ca } });
    expect(error).toMatchObject({ hint: expect.stringMatching(/does this port speak TLS/) });
  });

  it("for a client with a login is an error that names the mechanism", async () => {
    const sasl = { mechanism: "PLAIN", ...kafka.users.plain } as const;
    const error = await failure({ brokers: [kafka.bootstrap], sasl });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/no login by PLAIN/);
  });

  it("where nothing listens is worth another try, and the address is named", async () => {
    const error = await failure({ brokers: ["127.0.0.1:1"] });
    expect(error).toBeInstanceOf(TransientError);
    expect(error.message).toContain("127.0.0.1:1");
  });
});

it.each([["localhost"], ["localhost:0"], ["http://localhost:9092"], ["user:pass@host:9092"], [""], ["a:99999"]])(
  "%j is no broker's address",
  (broker) => {
    expect(() => kafkaSource({ brokers: [broker], topics: "t" })).toThrow(ConfigError);
  },
);

it("a login without a password, or by a mechanism that there is not, is refused at once", () => {
  const connect = (sasl: object) => () =>
    kafkaSource({ brokers: ["h:1"], topics: "t", sasl: sasl as NonNullable<KafkaConnectionOptions["sasl"]> });
  expect(connect({ mechanism: "PLAIN", username: "u", password: undefined })).toThrow(/password/);
  expect(connect({ mechanism: "GSSAPI" })).toThrow(/GSSAPI/);
  expect(connect({ mechanism: "OAUTHBEARER" })).toThrow(/token/);
});
