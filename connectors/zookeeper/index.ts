// ZooKeeper: offsets that programs keep there, to import them. The checkpoint store is in checkpoints/zookeeper.ts.
export { zookeeperConsumers } from "./consumer-offsets.ts";
