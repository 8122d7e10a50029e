// What can be wrong with a Kafka cluster as a checkpoint store, or with how it was asked for: each mistake is said with
// what to type, and no password is repeated.
import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KafkaStoreOptions, kafkaStore } from "../../checkpoints/kafka.ts";
import { CheckpointMissingError, ConfigError, type Position } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import { BrokerTopics } from "./broker-topics.ts";

const LINEAGE = "0123456789abcdef0123456789abcdef";
const signal = AbortSignal.timeout(600_000);

let kafka: KafkaAddresses;
let topics: BrokerTopics;
let user: KafkaStoreOptions;
beforeAll(async () => {
  kafka = await kafkaServer();
  topics = new BrokerTopics(kafka.bootstrap);
  const { username, password } = kafka.users.plain;
  user = { brokers: [kafka.saslBootstrap], sasl: { mechanism: "PLAIN", username, password } };
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

const newName = (what: string) => `${what}-${randomBytes(5).toString("hex")}`;

/** Somebody else may do everything there, so that nobody may who has no rule of his own. */
async function forbid(type: "TOPIC" | "GROUP" | "TRANSACTIONAL_ID", resourceName: string): Promise<void> {
  const creation = {
    resourceType: ResourceTypes[type],
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: "User:another",
    host: "*",
    operation: AclOperations.ALL,
    permissionType: AclPermissionTypes.ALLOW,
  };
  await topics.admin.createAcls({ creations: [creation] });
}

/** What a take-over, and an append that shows a position in the group, end with. */
async function failureOf(options: KafkaStoreOptions, jobName: string, shown: readonly Position[] = []) {
  try {
    await using store = kafkaStore(options);
    await using writer = await store.takeOver(jobName, next("begin"), signal, LINEAGE);
    await writer.append(1n, entry("1"), shown, signal);
    return undefined;
  } catch (error) {
    return error;
  }
}

function expectHint(failure: unknown, hint: RegExp): void {
  expect(failure).toBeInstanceOf(ConfigError);
  expect((failure as ConfigError).hint).toMatch(hint);
}

describe("what is not allowed", () => {
  it("on the topic is said with the command that makes it", async () => {
    const topic = newName("entries");
    await forbid("TOPIC", topic);
    expectHint(await failureOf({ ...user, topic }, newName("job")), /kafka-topics .*--create --topic entries-/);
    await using store = kafkaStore({ ...user, topic });
    await expect(store.bounds(newName("job"), signal)).rejects.toThrow(ConfigError);
  });

  it("for the transactional id is said with the rule that allows it", async () => {
    const topic = newName("entries");
    const jobName = newName("job");
    await forbid("TRANSACTIONAL_ID", `${topic}/${jobName}`);
    const failure = await failureOf({ ...user, topic }, jobName);
    expectHint(failure, new RegExp(`kafka-acls .*--transactional-id ${topic}/${jobName}`));
  });

  it("for the group is said with the rule that allows it", async () => {
    const [topic, read, jobName] = [newName("entries"), await topics.create(1), newName("job")];
    await forbid("GROUP", jobName);
    const { id } = await topics.admin.metadata({ topics: [read] });
    const mark = `${id}/00000000-0000-0000-0000-000000000000/0`;
    const failure = await failureOf({ ...user, topic }, jobName, [{ topic: read, partition: 0, offset: 1n, mark }]);
    expectHint(failure, /kafka-acls .*--group/);
  });
});

it("a topic that forgets is refused, with the command that compacts it", async () => {
  const topic = await topics.create(1, { "cleanup.policy": "delete" });
  const options = { brokers: [kafka.bootstrap], topic };
  expectHint(await failureOf(options, newName("job")), /kafka-configs .*--add-config cleanup.policy=compact/);
  await using store = kafkaStore(options);
  expect(await store.examine(signal)).toContainEqual(expect.stringMatching(/forgets.*cleanup.policy=compact/));
});

it("a transaction that may last longer than brokers allow is refused, with the setting", async () => {
  const options = { brokers: [kafka.bootstrap], transactionTimeoutMs: 24 * 60 * 60 * 1000 };
  expectHint(await failureOf(options, newName("job")), /transaction.max.timeout.ms/);
});

it("an entry that the topic does not take is refused, with the setting, and nothing of it is there", async () => {
  const topic = await topics.create(1, { "cleanup.policy": "compact", "max.message.bytes": "2000" });
  await using store = kafkaStore({ brokers: [kafka.bootstrap], topic });
  const jobName = newName("job");
  await using writer = await store.takeOver(jobName, next("begin"), signal);
  const large = { token: "t", bytes: new Uint8Array(5_000) };
  expectHint(await writer.append(1n, large, [], signal).catch((error: unknown) => error), /max.message.bytes/);
  expect(await store.bounds(jobName, signal)).toEqual({ first: 0n, head: 0n });
  expect(await store.examine(signal)).toContainEqual(expect.stringMatching(/max.message.bytes=/));
  // The writer goes on.
  expect(await writer.append(1n, entry("small"), [], signal)).toEqual({ is: "appended" });
});

it("a topic that was deleted and made anew while the job ran is missed, and not written to", async () => {
  const topic = newName("entries");
  await using store = kafkaStore({ brokers: [kafka.bootstrap], topic });
  const jobName = newName("job");
  await using writer = await store.takeOver(jobName, next("begin"), signal);
  await topics.delete(topic);
  await topics.create(1, { "cleanup.policy": "compact" }, topic);
  await expect(writer.append(1n, entry("1"), [], signal)).rejects.toThrow(CheckpointMissingError);
  await expect(store.bounds(jobName, signal)).rejects.toThrow(CheckpointMissingError);
  await using fresh = kafkaStore({ brokers: [kafka.bootstrap], topic });
  expect(await fresh.bounds(jobName, signal)).toBeUndefined();
});

it("finds nothing to say about a topic that the store made", async () => {
  await using store = kafkaStore({ brokers: [kafka.bootstrap], topic: newName("entries") });
  expect(await store.examine(signal)).toEqual([]);
  await using _ = await store.takeOver(newName("job"), next("begin"), signal);
  expect(await store.examine(signal)).toEqual([]);
});

it("says whose password is wrong, not what it is", async () => {
  const { username } = kafka.users.plain;
  const url = `kafka://${username}:s3cret%2Fwrong@${kafka.saslBootstrap}/entries?mechanism=PLAIN`;
  await using store = await openStore(url, { baseDir: "." });
  expect(store.url).not.toContain("s3cret");
  const failure = await store.bounds("job", signal).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ConfigError);
  expect(inspect(failure, { depth: 10 })).not.toContain("s3cret");
});

it("connects by a URL with a login, over several brokers of which one is there", async () => {
  const { username, password } = kafka.users["scram-sha-512"];
  const url = `kafka://${username}:${encodeURIComponent(password)}@127.0.0.1:1,${kafka.saslBootstrap}/${newName("e")}`;
  await using store = await openStore(url, { baseDir: "." });
  expect(await store.bounds("job", signal)).toBeUndefined();
});

it.each([
  ["kafka://", /names no broker/],
  ["kafka://host", /no Kafka broker's address/],
  ["kafka://host:9092/a b", /no name of a Kafka topic/],
  ["kafka://host:9092?tls=yes", /neither true nor false/],
  ["kafka://host:9092?acks=1", /no parameter "acks"/],
  ["kafka://me@host:9092", /user:password/],
  ["kafka://me:s3cret@host:9092?mechanism=GSSAPI", /GSSAPI/],
  ["kafka://me:s3cret%@host:9092", /no escape/],
])("%s is no URL of a store, and is told why", (url, why) => {
  const failure = (() => {
    try {
      return kafkaStore(url);
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toBeInstanceOf(ConfigError);
  expect((failure as ConfigError).message).toMatch(why);
  expect(inspect(failure)).not.toContain("s3cret");
});

it("refuses a transaction timeout that is no time", () => {
  expect(() => kafkaStore({ brokers: ["h:1"], transactionTimeoutMs: 1 })).toThrow(ConfigError);
  expect(() => kafkaStore({ brokers: [] })).toThrow(ConfigError);
});
