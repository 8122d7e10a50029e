// Kafka as a small cluster: a controller and two brokers, plaintext only, for what one broker cannot show: leaders that
// move, and brokers that die while others go on. Only tests start it.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { javaInstallHint, requireJava } from "../java.ts";
import { mustRun } from "../run-program.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ProcessPlan, ServerKind } from "../server-kind.ts";
import { isBrokerReady } from "./is-broker-ready.ts";
import { brokerJava, newClusterId } from "./server.ts";
import { quickSettings } from "./server-properties.ts";

/** Node ids. The controller keeps no topics, and outlives whatever happens to brokers. */
const CONTROLLER = 1;
export const clusterBrokers = [2, 3] as const;
const heap = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"];

export interface KafkaClusterAddresses {
  /** Of both brokers, separated by a comma. */
  readonly bootstrap: string;
}

/** A broker's name among the processes of the cluster. */
export function brokerName(id: number): string {
  return `broker-${id}`;
}

export const kafkaCluster: ServerKind<KafkaClusterAddresses> = {
  name: "kafka-cluster",
  ports: ["controller", ...clusterBrokers.map(brokerName)],
  environment: ({ bootstrap }) => ({ KAFKA_BROKERS: bootstrap }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<KafkaClusterAddresses>> {
    await requireJava(signal);
    const java = await brokerJava(place, heap, say, signal);
    const clusterId = newClusterId();
    const processes: ProcessPlan[] = [];
    for (const id of [CONTROLLER, ...clusterBrokers]) {
      const name = id === CONTROLLER ? "controller" : brokerName(id);
      const data = join(place.folder, "data", name);
      await mkdir(data, { recursive: true });
      const configuration = join(place.folder, `${name}.properties`);
      await writeFile(configuration, propertiesOf(id, name, data, place), { mode: 0o600 });
      if (!existsSync(join(data, "meta.properties"))) {
        const format = ["kafka.tools.StorageTool", "format", "-t", clusterId, "-c", configuration];
        await mustRun("java", [...java, ...format], { cwd: place.folder, installHint: javaInstallHint, signal });
      }
      const args = [...java, "kafka.Kafka", configuration];
      const isReady = (asked: AbortSignal) => isBrokerReady(place.ports[name] ?? 0, asked);
      processes.push({ name, file: "java", args, cwd: place.folder, stopSignal: "SIGTERM", isReady });
    }
    const bootstrap = clusterBrokers.map((id) => `127.0.0.1:${place.ports[brokerName(id)]}`).join(",");
    return { processes, addresses: { bootstrap } };
  },
};

function propertiesOf(id: number, name: string, data: string, { ports }: Place): string {
  const own = `//127.0.0.1:${ports[name]}`;
  const roles =
    id === CONTROLLER
      ? ["process.roles=controller", `listeners=CONTROLLER:${own}`]
      : ["process.roles=broker", `listeners=PLAINTEXT:${own}`, `advertised.listeners=PLAINTEXT:${own}`];
  return `${[
    ...roles,
    `node.id=${id}`,
    `controller.quorum.voters=${CONTROLLER}@127.0.0.1:${ports["controller"]}`,
    "controller.listener.names=CONTROLLER",
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    ...(id === CONTROLLER ? [] : ["inter.broker.listener.name=PLAINTEXT"]),
    `log.dirs=${data}`,
    ...quickSettings(clusterBrokers.length),
  ].join("\n")}\n`;
}
