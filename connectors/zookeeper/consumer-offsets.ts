// `zookeeperConsumers`: the offsets that programs keep in ZooKeeper, as a place that positions are imported from:
// `<group's path>/offsets/<topic>/<partition>` with the next offset in decimal digits, as Kafka's old consumers, Spark
// Streaming jobs and Tidemark's own store write it. Who consumes shows in `<group's path>/ids`. Nothing is written.
import { ConfigError, type Position, type SavedPositions, type SavedPositionsPlace } from "../../runtime/index.ts";
import { parseZooKeeperUrl } from "./address.ts";
import { ZooKeeperClient, type ZooKeeperSession } from "./client.ts";

const READS_AT_ONCE = 100;
const EXAMPLE = "zookeeper://127.0.0.1:2181/consumers/billing";

/**
 * The offsets of a group in ZooKeeper.
 * @param url the group's path: `zookeeper://[user:password@]host:2181,host:2181/consumers/GROUP`
 * @throws ConfigError it is no such URL
 */
export function zookeeperConsumers(url: string): SavedPositionsPlace {
  const { servers, digest, path, parameters } = parseZooKeeperUrl(url);
  if (path === undefined || parameters.size > 0) {
    throw new ConfigError("the URL does not name the path of a group", { hint: `write ${EXAMPLE}` });
  }
  return {
    url: `zookeeper://${servers}${path}`,
    async read(signal) {
      await using client = await ZooKeeperClient.open({ servers, digest }, signal);
      const session = await client.session(signal);
      return await read(session, path, signal);
    },
  };
}

async function read(session: ZooKeeperSession, path: string, signal: AbortSignal): Promise<SavedPositions> {
  const offsets = `${path}/offsets`;
  if (!(await session.exists(offsets, signal))) {
    throw new ConfigError(`there is no node ${offsets} in ZooKeeper at ${session.servers}`, {
      hint: `give the group's path: ${EXAMPLE}; zkCli.sh ls /consumers shows the groups`,
    });
  }
  // Another server than the one that was written to may lag behind.
  await session.sync(offsets, signal);
  const consumers = (await session.children(`${path}/ids`, signal)) ?? [];
  if (consumers.length > 0) {
    throw new ConfigError(`the group ${path} is in use: ${consumers.length} consumers are registered`, {
      hint: "stop them first; those that died are gone when their sessions have ended",
    });
  }
  const positions: Position[] = [];
  for (const topic of (await session.children(offsets, signal)) ?? []) {
    const partitions = (await session.children(`${offsets}/${topic}`, signal)) ?? [];
    for (let from = 0; from < partitions.length; from += READS_AT_ONCE) {
      const some = partitions.slice(from, from + READS_AT_ONCE);
      positions.push(...(await Promise.all(some.map((name) => readOne(session, offsets, topic, name, signal)))));
    }
  }
  return { positions, nextBatchId: 0, inFlight: undefined, notes: [] };
}

async function readOne(
  session: ZooKeeperSession,
  offsets: string,
  topic: string,
  name: string,
  signal: AbortSignal,
): Promise<Position> {
  const path = `${offsets}/${topic}/${name}`;
  const node = await session.get(path, signal);
  const said = node?.data.subarray(0, 80).toString("utf8") ?? "";
  // Written by hand or by a shell, a line may have an end.
  const digits = /^\s*(\d{1,19})\s*$/.exec(said)?.[1];
  if (digits === undefined) {
    throw new ConfigError(`${path} in ZooKeeper is not an offset in digits: ${JSON.stringify(said)}`, {
      hint: "is it another program's layout? the next offset to read must be there, in decimal digits alone",
    });
  }
  if (!/^(0|[1-9]\d{0,8})$/.test(name)) {
    throw new ConfigError(`${path} in ZooKeeper is no partition's number`, { hint: "is it another program's layout?" });
  }
  return { topic, partition: Number(name), offset: BigInt(digits) };
}
