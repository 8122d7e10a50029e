// What a user may not do, on a broker with rules: each refusal is a mistake in the set-up, told with the command that
// allows it; only the mirror in the consumer group is a courtesy, which warns.
import { AclOperations, AclPermissionTypes, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { map } from "rxjs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { type KafkaConnectionOptions, kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import {
  type CheckpointStore,
  ConfigError,
  defineJob,
  type JobEvent,
  runJob,
  type Sink,
  text,
} from "../../runtime/index.ts";
import { kafkaServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { BrokerTopics, message } from "./broker-topics.ts";

let topics: BrokerTopics;
let user: KafkaConnectionOptions;
let principal: string;
beforeAll(async () => {
  const kafka = await kafkaServer();
  topics = new BrokerTopics(kafka.bootstrap);
  const { username, password } = kafka.users.plain;
  user = { brokers: [kafka.saslBootstrap], sasl: { mechanism: "PLAIN", username, password } };
  principal = `User:${username}`;
}, serverStartTimeoutMs);
afterAll(() => topics[Symbol.asyncDispose]());

/** From now on only what is allowed by some rule is allowed here: these operations to the user, all to another. */
async function allowOnly(
  type: "TOPIC" | "GROUP" | "TRANSACTIONAL_ID",
  resourceName: string,
  operations: readonly ("READ" | "DESCRIBE" | "WRITE")[],
): Promise<void> {
  const rule = (who: string, operation: keyof typeof AclOperations) => ({
    resourceType: ResourceTypes[type],
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: who,
    host: "*",
    operation: AclOperations[operation],
    permissionType: AclPermissionTypes.ALLOW,
  });
  const creations = [rule("User:another", "ALL"), ...operations.map((operation) => rule(principal, operation))];
  await topics.admin.createAcls({ creations });
}

async function filledTopic(): Promise<string> {
  const topic = await topics.create(1);
  await topics.produce(topic, [message(0, "a"), message(0, "b")]);
  return topic;
}

/** Copies a topic as the user, or to memory; what the job's end tells, and its events. */
async function copy(input: string, output?: string, checkpoint: CheckpointStore = memoryStore()) {
  const events: JobEvent[] = [];
  const name = `permissions-${input}`;
  const sink: Sink<{ id: string }> =
    output === undefined ? memorySink<{ id: string }>() : kafkaSink({ ...user, topic: output });
  const job = defineJob({
    name,
    source: kafkaSource({ ...user, topics: input, value: text() }),
    pipeline: (records$) => records$.pipe(map(({ value }) => ({ id: value }))),
    sink,
    checkpoint,
    trigger: "available-now",
  });
  const ended = runJob(job, { onEvent: (event) => events.push(event) });
  return { name, events, failure: await ended.then(() => undefined).catch((error: unknown) => error) };
}

function expectHint(failure: unknown, hint: RegExp): void {
  expect(failure).toBeInstanceOf(ConfigError);
  expect((failure as ConfigError).hint).toMatch(hint);
}

it("a topic that may not be seen is a mistake, told with the command that allows it", async () => {
  const topic = await filledTopic();
  await allowOnly("TOPIC", topic, []);
  const { failure } = await copy(topic);
  expect(String(failure)).toContain(topic);
  expectHint(failure, /kafka-acls --add --operation Read/);
});

it("a topic that may be seen and not read is one, too", async () => {
  const topic = await filledTopic();
  await allowOnly("TOPIC", topic, ["DESCRIBE"]);
  const { failure } = await copy(topic);
  expect(String(failure)).toContain(`${topic}:0`);
  expectHint(failure, /kafka-acls --add --operation Read/);
});

it("a topic that may be read and not written to is named by the sink", async () => {
  const [input, output] = [await filledTopic(), await topics.create(1)];
  await allowOnly("TOPIC", output, ["READ", "DESCRIBE"]);
  const { failure } = await copy(input, output);
  expect(String(failure)).toContain(output);
  expectHint(failure, new RegExp(`kafka-acls --add --operation Write.* --topic ${output}`));
});

it("a transactional id that may not be used is named by the sink", async () => {
  const [input, output] = [await filledTopic(), await topics.create(1)];
  const transactionalId = `tidemark-permissions-${input}.${output}`;
  await allowOnly("TRANSACTIONAL_ID", transactionalId, []);
  const { failure } = await copy(input, output);
  expectHint(failure, new RegExp(`kafka-acls --add .*--transactional-id ${transactionalId}`));
});

it("a consumer group that may not be written to costs a warning, and no batch", async () => {
  const topic = await filledTopic();
  await allowOnly("GROUP", `permissions-${topic}`, []);
  // Whose offsets it has cannot be told either, where the job is new to a store that keeps its logs.
  const keeping = Object.assign(memoryStore(), { isVolatile: false });
  const { failure, events } = await copy(topic, undefined, keeping);
  expect(failure).toBeUndefined();
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  expect(warnings).toEqual([expect.stringMatching(/permissions-.*GROUP_AUTHORIZATION_FAILED/)]);
});
