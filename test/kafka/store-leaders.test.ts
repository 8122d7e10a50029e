// The checkpoint store on a cluster of two brokers, one of which dies in mid-job: the one that leads the entries topic,
// and the one that coordinates the log's transactions. The rows are in these transactions, and each is there once.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { kafkaStore } from "../../checkpoints/kafka.ts";
import { KafkaClient } from "../../connectors/kafka/client.ts";
import { kafkaSink, kafkaSource } from "../../connectors/kafka/index.ts";
import { transactionCoordinator } from "../../connectors/kafka/transaction-requests.ts";
import { json } from "../../runtime/index.ts";
import { type NumberRow, startNumbersJob } from "../contracts/numbers-job.ts";
import { type OwnServer, ownKafkaCluster, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { brokerName, clusterBrokers, type KafkaClusterAddresses } from "../servers/kafka/cluster.ts";
import { BrokerTopics } from "./broker-topics.ts";
import { readTopic } from "./read-topic.ts";

const REQUEST_TIMEOUT_MS = 5_000;
const signal = AbortSignal.timeout(600_000);

// For the night: a cluster takes its time to start, and to find out that a broker has died.
describe.skipIf(process.env["NIGHTLY"] === undefined)("a store on two brokers", () => {
  let cluster: KafkaClusterAddresses & OwnServer;
  let topics: BrokerTopics;
  beforeAll(async () => {
    cluster = await ownKafkaCluster();
    topics = new BrokerTopics(cluster.bootstrap);
  }, serverStartTimeoutMs);
  afterAll(async () => {
    await topics[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    if ((await brokersThere()) < clusterBrokers.length) await cluster.restart();
    await topics.until("both brokers serve", async () => (await brokersThere()) === clusterBrokers.length);
  }, serverStartTimeoutMs);

  const brokersThere = async () => (await topics.admin.metadata({ forceUpdate: true })).brokers.size;

  async function partitionOf(topic: string) {
    const metadata = await topics.admin.metadata({ topics: [topic], forceUpdate: true });
    return metadata.topics.get(topic)?.partitions[0];
  }

  /** The node id of the broker at which the log's transactions are coordinated. */
  async function coordinatorOf(transactionalId: string): Promise<number | undefined> {
    await using client = await KafkaClient.open({ brokers: cluster.bootstrap.split(",") }, "tests", signal);
    const { port } = await transactionCoordinator(client, transactionalId, signal);
    const { brokers } = await topics.admin.metadata({ forceUpdate: true });
    return [...brokers].find(([, broker]) => broker.port === port)?.[0];
  }

  /** A job from memory to a topic, with its checkpoint in an entries topic of its own. */
  async function newJob() {
    const name = `leaders-${randomBytes(5).toString("hex")}`;
    const [output, entries] = [`${name}-out`, `${name}-entries`];
    const connection = { brokers: cluster.bootstrap.split(","), requestTimeoutMs: REQUEST_TIMEOUT_MS };
    await topics.admin.createTopics({ topics: [output], partitions: 1, replicas: clusterBrokers.length });
    await topics.until("the topic is led", async () => (await partitionOf(output))?.leader !== undefined);
    const job = startNumbersJob({
      name,
      sink: kafkaSink({ ...connection, topic: output, markerTopic: `${name}-markers` }),
      checkpoint: kafkaStore({ ...connection, topic: entries }),
      async numbers() {
        const rows = await readTopic(kafkaSource({ ...connection, topics: output, value: json<NumberRow>() }));
        return rows.map(({ number }) => number);
      },
    });
    return { job, entries, transactionalId: `${entries}/${name}` };
  }

  it.each(["leads the entries topic", "coordinates the log's transactions"])(
    "loses and doubles nothing when the broker dies that %s",
    async (what) => {
      const { job, entries, transactionalId } = await newJob();
      await job.completed(2);
      const partition = await partitionOf(entries);
      // Made with the brokers' own replication.
      expect(partition?.replicas).toHaveLength(clusterBrokers.length);
      const dying = what.startsWith("leads") ? partition?.leader : await coordinatorOf(transactionalId);
      expect(clusterBrokers).toContain(dying);
      await cluster.kill(brokerName(dying ?? 0));
      await job.endsWell();
      expect(await brokersThere()).toBe(1);
    },
    180_000,
  );
});
