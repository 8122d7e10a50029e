// Servers for tests: `await kafkaServer()` and `await postgresServer()` answer with the run's own, which the first
// who asks starts (under a lock: test files run side by side) and global-setup.ts ends. A test that stops, kills or
// freezes its server would disturb the others, and takes one for itself instead. Servers of `npm run servers` are
// never touched.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { inject } from "vitest";
import {
  killServer,
  pauseServer,
  removeServer,
  resumeServer,
  type ServerHome,
  startServer,
  stopServer,
} from "./control.ts";
import { type HbaseAddresses, hbase } from "./hbase/server.ts";
import { type Hbase094Addresses, hbase094 } from "./hbase094/server.ts";
import { type HdfsPairAddresses, hdfsPair } from "./hdfs/high-availability.ts";
import { type HdfsAddresses, hdfs } from "./hdfs/server.ts";
import { type KafkaClusterAddresses, kafkaCluster } from "./kafka/cluster.ts";
import { type KafkaAddresses, kafka } from "./kafka/server.ts";
import { type PostgresAddresses, postgres } from "./postgres/server.ts";
import { serversRoot } from "./repository.ts";
import type { ServerKind } from "./server-kind.ts";
import { type EnsembleAddresses, zookeeperEnsemble } from "./zookeeper/ensemble.ts";
import { type ZooKeeperAddresses, zookeeper } from "./zookeeper/server.ts";

/** The first start on a machine downloads: give it to `beforeAll` as its timeout. */
export const serverStartTimeoutMs = 300_000;

export interface ServerControls {
  /** Stops in good order and starts again, on the same ports with the same data. */
  restart(): Promise<void>;
  /** Ends it in good order; clients see connections refused. */
  stop(): Promise<void>;
  /** Ends it as a crash would, or only one of its processes. */
  kill(processName?: string): Promise<void>;
  /** Starts it again after stop or kill; idempotent. */
  start(): Promise<void>;
  /** Freezes it, or only one of its processes: connections stay open, and nothing answers. */
  pause(processName?: string): void;
  /** Lets it go on after pause. */
  resume(): void;
}

/** A server that one test file has for itself; disposing of it removes its data too. */
export type OwnServer = ServerControls & AsyncDisposable;

/** The run's broker, for tests that leave it running. Give topics and groups names of your own. */
export function kafkaServer(): Promise<KafkaAddresses> {
  return startServer(homeOfRun(kafka), { signal: startDeadline() });
}

/** The run's Postgres, for tests that leave it running. Make a database or a schema of your own in it. */
export function postgresServer(): Promise<PostgresAddresses> {
  return startServer(homeOfRun(postgres), { signal: startDeadline() });
}

/** The run's ZooKeeper, for tests that leave it running. Use paths of your own in it. */
export function zookeeperServer(): Promise<ZooKeeperAddresses> {
  return startServer(homeOfRun(zookeeper), { signal: startDeadline() });
}

/** A broker of one's own, to restart, kill and freeze: some 8 s and 0.3 GB. */
export function ownKafkaServer(): Promise<KafkaAddresses & OwnServer> {
  return startOwn(kafka);
}

/** Two brokers and a controller of one's own: some 10 s and 0.7 GB. */
export function ownKafkaCluster(): Promise<KafkaClusterAddresses & OwnServer> {
  return startOwn(kafkaCluster);
}

/** A Postgres of one's own, to restart, kill and freeze: a second or two. */
export function ownPostgresServer(): Promise<PostgresAddresses & OwnServer> {
  return startOwn(postgres);
}

/** A ZooKeeper of one's own, to restart, kill and freeze: some 2 s and 0.15 GB. */
export function ownZookeeperServer(): Promise<ZooKeeperAddresses & OwnServer> {
  return startOwn(zookeeper);
}

/** Three ZooKeepers of one's own that are an ensemble: some 6 s and 0.4 GB. */
export function ownZookeeperEnsemble(): Promise<EnsembleAddresses & OwnServer> {
  return startOwn(zookeeperEnsemble);
}

/** The run's HDFS, for tests that leave it running. Make a folder of your own in it. */
export function hdfsServer(): Promise<HdfsAddresses> {
  return startServer(homeOfRun(hdfs), { signal: startDeadline() });
}

/** An HDFS of one's own, to restart, kill and freeze: some 8 s and 0.4 GB. */
export function ownHdfsServer(): Promise<HdfsAddresses & OwnServer> {
  return startOwn(hdfs);
}

/** An HDFS of one's own with two name nodes and a DataNode: some 15 s and 0.5 GB. */
export function ownHdfsPair(): Promise<HdfsPairAddresses & OwnServer> {
  return startOwn(hdfsPair);
}

/** The run's HBase, for tests that leave it running. Give tables and jobs names of your own. */
export function hbaseServer(): Promise<HbaseAddresses> {
  return startServer(homeOfRun(hbase), { signal: startDeadline() });
}

/** An HBase of one's own, to restart, kill and freeze: some 15 s and 0.4 GB. */
export function ownHbaseServer(): Promise<HbaseAddresses & OwnServer> {
  return startOwn(hbase);
}

/** The run's HBase 0.94, for tests that leave it running: some 12 s and 0.3 GB. Use tables of your own. */
export function hbase094Server(): Promise<Hbase094Addresses> {
  return startServer(homeOfRun(hbase094), { signal: startDeadline() });
}

/** An HBase 0.94 of one's own, to freeze and kill; what it was told last may be gone after a kill. */
export function ownHbase094Server(): Promise<Hbase094Addresses & OwnServer> {
  return startOwn(hbase094);
}

function startDeadline(): AbortSignal {
  return AbortSignal.timeout(serverStartTimeoutMs);
}

/** `own` tells one test file's server from another's. */
function homeOfRun<Addresses extends object>(kind: ServerKind<Addresses>, own = ""): ServerHome<Addresses> {
  const folder = join(inject("serversOfRun"), `${kind.name}${own}`);
  return { kind, root: serversRoot, folder, say: (line) => process.stderr.write(`${line}\n`) };
}

async function startOwn<Addresses extends object>(kind: ServerKind<Addresses>): Promise<Addresses & OwnServer> {
  const home = homeOfRun(kind, `-${randomBytes(6).toString("hex")}`);
  const start = () => startServer(home, { signal: startDeadline() });
  const stop = () => stopServer(home, startDeadline());
  const addresses = await start();
  return {
    ...addresses,
    stop,
    start: async () => void (await start()),
    restart: async () => {
      await stop();
      await start();
    },
    kill: (processName) => killServer(home, startDeadline(), processName),
    pause: (processName) => pauseServer(home, processName),
    resume: () => resumeServer(home),
    [Symbol.asyncDispose]: () => removeServer(home, startDeadline()),
  };
}
