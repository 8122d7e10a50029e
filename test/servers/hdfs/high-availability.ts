// HDFS with two name nodes, of which one is active: they share their edits in a local folder, and nothing but
// `hdfs haadmin` changes which of them it is. Only tests start it.
import { existsSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { javaInstallHint, requireJava } from "../java.ts";
import { jarsOf } from "../maven.ts";
import { mustRun } from "../run-program.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { canWrite, hasDataNode, isActive, makeHome } from "./ask-name-node.ts";
import { runHdfsTool } from "./run-hdfs-shell.ts";
import { dataNode, hadoopJava, nameNode, pom, user } from "./server.ts";
import { coreSite, hdfsSite, type Settings, writeSiteFiles } from "./site-files.ts";

const service = "tides";
const ids = ["nn1", "nn2"] as const;

/** What a client needs to connect, and to say which name node is the active one. */
export interface HdfsPairAddresses {
  /** `webhdfs://127.0.0.1:PORT,127.0.0.1:PORT/tidemark?user.name=tidemark`, for a user without special rights. */
  readonly url: string;
  /** The name nodes, as processes and for `hdfs haadmin`. */
  readonly nameNodes: readonly { readonly id: string; readonly http: string; readonly port: number }[];
  readonly superuser: string;
  readonly configuration: string;
}

export const hdfsPair: ServerKind<HdfsPairAddresses> = {
  name: "hdfs-pair",
  ports: [...ids.flatMap((id) => [`${id}-http`, `${id}-rpc`]), "datanode", "datanode-http", "datanode-ipc"],
  environment: ({ url }) => ({ WEBHDFS_URL: url }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<HdfsPairAddresses>> {
    await requireJava(signal);
    const { folder, ports } = place;
    const jars = await jarsOf(pom, place.root, say, signal);
    const [configuration, temporary] = [join(folder, "conf"), join(folder, "tmp")];
    for (const made of [configuration, temporary, join(folder, "data")]) await mkdir(made, { recursive: true });
    await writeSiteFiles(configuration, {
      "core-site.xml": { ...coreSite(place, service), "ipc.client.connect.max.retries": 2 },
      "hdfs-site.xml": { ...hdfsSite(place), ...pairSettings(place) },
    });
    const java = hadoopJava(`${configuration}:${jars}`, temporary);
    await format(place, java, signal);
    const addresses = addressesOf(place, configuration);
    const common = { file: "java", cwd: folder, stopSignal: "SIGTERM" } as const;
    const nameNodes = ids.map((id) => {
      const args = [...java, nameNode, `-Ddfs.ha.namenode.id=${id}`];
      const port = ports[`${id}-http`] ?? 0;
      const isReady = async (asked: AbortSignal) => (await isActive({ port, signal: asked })) !== undefined;
      return { ...common, name: id, args, isReady };
    });
    const isReady = (asked: AbortSignal) => isServing(addresses, asked);
    return {
      processes: [...nameNodes, { ...common, name: "datanode", args: [...java, dataNode], isReady }],
      addresses,
    };
  },
};

/** The name node that is active; undefined: none. */
export async function activeOf({ nameNodes }: HdfsPairAddresses, signal: AbortSignal) {
  for (const each of nameNodes) if (await isActive({ port: each.port, signal }).catch(() => false)) return each;
  return undefined;
}

/** Both are standbys after their start. */
async function isServing(addresses: HdfsPairAddresses, signal: AbortSignal): Promise<boolean> {
  const active = await activeOf(addresses, signal);
  if (active === undefined)
    await runHdfsTool("haadmin", ["-transitionToActive", ids[0]], { server: addresses, signal });
  const at = { port: (active ?? addresses.nameNodes[0])?.port ?? 0, signal };
  return (await hasDataNode(at)) && (await canWrite(at)) && (await makeHome(at, user, user));
}

/** Once; the second name node begins with a copy of what the first was given. */
async function format({ folder }: Place, java: readonly string[], signal: AbortSignal): Promise<void> {
  const [first, second] = ids.map((id) => join(folder, "data", id)) as [string, string];
  if (existsSync(join(second, "current", "VERSION"))) return;
  const args = [...java, nameNode, `-Ddfs.ha.namenode.id=${ids[0]}`, "-format", "-force", "-nonInteractive"];
  await mustRun("java", args, { cwd: folder, installHint: javaInstallHint, signal });
  await cp(first, second, { recursive: true });
}

function pairSettings({ folder, ports }: Place): Settings {
  const each = ids.map((id) => ({
    [`dfs.namenode.name.dir.${service}.${id}`]: `file://${join(folder, "data", id)}`,
    [`dfs.namenode.rpc-address.${service}.${id}`]: `127.0.0.1:${ports[`${id}-rpc`]}`,
    [`dfs.namenode.http-address.${service}.${id}`]: `127.0.0.1:${ports[`${id}-http`]}`,
  }));
  const provider = "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider";
  return Object.assign(
    {
      "dfs.nameservices": service,
      [`dfs.ha.namenodes.${service}`]: ids.join(),
      [`dfs.client.failover.proxy.provider.${service}`]: provider,
      "dfs.namenode.shared.edits.dir": `file://${join(folder, "data", "edits")}`,
      // The test that makes another one active has ended the first, or asks it to step back.
      "dfs.ha.fencing.methods": "shell(/bin/true)",
    },
    ...each,
  );
}

function addressesOf({ ports }: Place, configuration: string): HdfsPairAddresses {
  const nameNodes = ids.map((id) => {
    const port = ports[`${id}-http`] ?? 0;
    return { id, port, http: `http://127.0.0.1:${port}` };
  });
  const hosts = nameNodes.map(({ port }) => `127.0.0.1:${port}`).join();
  const url = `webhdfs://${hosts}/${user}?user.name=${user}`;
  return { url, nameNodes, superuser: userInfo().username, configuration };
}
