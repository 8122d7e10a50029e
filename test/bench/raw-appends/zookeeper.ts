// ZooKeeper: one transaction that sets the head by its version, creates the entry and sets the offsets.
import zookeeper from "node-zookeeper-client";
import type { RawAppend } from "../raw-append.ts";

/** Makes nodes of its own below /`name`. */
export async function rawZooKeeperAppend(servers: string, name: string): Promise<RawAppend> {
  const client = zookeeper.createClient(servers);
  await new Promise<void>((resolve) => {
    client.once("connected", resolve);
    client.connect();
  });
  const root = `/${name}`;
  const make = (path: string) =>
    new Promise<void>((resolve, reject) => client.create(path, (error) => (error ? reject(error) : resolve())));
  await make(root);
  const made = new Set<number>();
  return {
    async append(seq, bytes, positions) {
      for (const { partition } of positions) {
        if (!made.has(partition)) await make(`${root}/offset-${partition}`);
        made.add(partition);
      }
      let transaction = client.transaction().setData(root, Buffer.from(`${seq}`), seq);
      transaction = transaction.create(`${root}/${seq}`, bytes);
      for (const { partition, offset } of positions) {
        transaction = transaction.setData(`${root}/offset-${partition}`, Buffer.from(`${offset}`), -1);
      }
      await new Promise<void>((resolve, reject) => transaction.commit((error) => (error ? reject(error) : resolve())));
    },
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}
