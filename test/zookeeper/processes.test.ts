// Real processes with their checkpoint in ZooKeeper.
import { afterAll, beforeAll } from "vitest";
import { storeProcesses } from "../contracts/store-processes.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestEnsemble, testEnsemble } from "./ensemble.ts";

let ensemble: TestEnsemble;
beforeAll(async () => {
  ensemble = await testEnsemble();
}, serverStartTimeoutMs);
afterAll(() => ensemble[Symbol.dispose]());

storeProcesses({
  name: "ZooKeeper",
  newPlace() {
    const name = newName("job");
    const offsets = `/consumers/${name}/offsets/in`;
    return {
      name,
      url: `zookeeper://${ensemble.servers}/${name}?group=${name}`,
      async shown() {
        const partitions = (await ensemble.names(offsets)) ?? [];
        const texts = partitions.map(async (p) => [p, (await ensemble.text(`${offsets}/${p}`)) ?? ""] as const);
        return Object.fromEntries(await Promise.all(texts));
      },
    };
  },
  wrong: { url: "zookeeper://u:secret@127.0.0.1:x/a", says: /is no server of ZooKeeper/, hides: "secret" },
});
