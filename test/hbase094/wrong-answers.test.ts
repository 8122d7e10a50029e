// A server of the old protocol that answers what cannot be read: the driver throws at it where nobody catches, and the
// job must go on all the same. ZooKeeper says that the server has the root region, which is all it takes.
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkedAddress } from "../../connectors/hbase/address.ts";
import { Hbase094Cluster } from "../../connectors/hbase/hbase094-cluster.ts";
import { TransientError } from "../../runtime/index.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { type TestEnsemble, testEnsemble } from "../zookeeper/ensemble.ts";

let ensemble: TestEnsemble;
let answer: Buffer = Buffer.alloc(0);
const server = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.on("data", () => socket.write(answer));
});

beforeAll(async () => {
  ensemble = await testEnsemble();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const node = `${ensemble.root}/root-region-server`;
  await ensemble.make(node, "");
  await ensemble.set(node, `127.0.0.1,${port},1`);
}, serverStartTimeoutMs);

afterAll(async () => {
  await ensemble.removeAll(ensemble.root);
  ensemble[Symbol.dispose]();
  server.close();
});

/** An answer to call 0; flag 2: a result, 3: an error. `size`: as it is told. */
function answerOf(flag: number, body: Buffer, size = body.length + 9): Buffer {
  const head = Buffer.alloc(9);
  head[4] = flag;
  head.writeInt32BE(size, 5);
  return Buffer.concat([head, body]);
}

it.each<[string, Buffer]>([
  ["a class that nobody knows", answerOf(2, Buffer.from([0, 0, 0, 0, 0x66, 0x66]))],
  ["more bytes than there can be", answerOf(2, Buffer.alloc(100), 0x7fff_ffff)],
  ["a text that is longer than the answer", answerOf(3, Buffer.from([0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xf0]))],
])("an answer with %s ends the call and not the process", async (_, bytes) => {
  answer = bytes;
  const address = checkedAddress({ zookeeper: ensemble.servers, parent: ensemble.root });
  await using cluster = new Hbase094Cluster(address);
  const asked = cluster.hasTable("rows", AbortSignal.timeout(8_000));
  await expect(asked).rejects.toThrow(TransientError);
  await expect(asked).rejects.toThrow("an answer cannot be read");
});
