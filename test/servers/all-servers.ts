// The kinds of servers that there are: a new one is a file of its own and a line here.
import { hbase } from "./hbase/server.ts";
import { hbase094 } from "./hbase094/server.ts";
import { hdfs } from "./hdfs/server.ts";
import { kafka } from "./kafka/server.ts";
import { postgres } from "./postgres/server.ts";
import type { ServerKind } from "./server-kind.ts";
import { zookeeper } from "./zookeeper/server.ts";

export const allServers: readonly ServerKind[] = [hbase, hbase094, hdfs, kafka, postgres, zookeeper];
