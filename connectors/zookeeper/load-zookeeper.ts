// Loads the driver when the first session needs it: only jobs that use ZooKeeper have it installed.
import { ConfigError } from "../../runtime/index.ts";

/** The package `node-zookeeper-client`. @throws ConfigError it is not installed */
export async function loadZooKeeper(): Promise<typeof import("node-zookeeper-client")> {
  try {
    const { default: driver } = await import("node-zookeeper-client");
    return driver;
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw cause;
    throw new ConfigError("ZooKeeper needs the package node-zookeeper-client, which is not installed", {
      hint: "npm install node-zookeeper-client",
      cause,
    });
  }
}
