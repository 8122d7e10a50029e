// Where one cell of the matrix plays: its servers and the names of what is its own. Plain JSON, for it goes to the
// job's process.
import type { HbaseAddresses } from "../servers/hbase/server.ts";
import type { HdfsAddresses } from "../servers/hdfs/server.ts";
import type { KafkaAddresses } from "../servers/kafka/server.ts";
import type { PostgresAddresses } from "../servers/postgres/server.ts";
import type { ZooKeeperAddresses } from "../servers/zookeeper/server.ts";

export interface GuaranteeServers {
  readonly kafka: Pick<KafkaAddresses, "bootstrap">;
  readonly postgres: Pick<PostgresAddresses, "url" | "bin">;
  readonly hbase: HbaseAddresses;
  readonly hdfs: HdfsAddresses;
  readonly zookeeper: ZooKeeperAddresses;
}

export interface Where {
  readonly servers: GuaranteeServers;
  /** Nobody else's: the job, and its table or topic. */
  readonly name: string;
  /** The cell's folder. Absolute. */
  readonly dir: string;
}
