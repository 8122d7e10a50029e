// What is wrong or unwise about a place in ZooKeeper as a checkpoint store, for `doctor`. It reads and changes nothing.
import type { ZooKeeperClient, ZooKeeperSession } from "../../connectors/zookeeper/client.ts";
import { isJobName } from "../job-name.ts";
import { decodeOwner, offsetsPath } from "./customary-offsets.ts";
import { JobNodes } from "./layout.ts";

/** Of more groups than that, the first are looked at. */
const MAX_GROUPS = 1_000;

interface Examined {
  readonly client: ZooKeeperClient;
  readonly root: string;
  /** Whether a password is sent. */
  readonly hasPassword: boolean;
}

/** The findings, one a line. */
export async function examineEnsemble(
  { client, root, hasPassword }: Examined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const findings: string[] = [];
  const isLocal = client.servers.split(",").every((server) => /^(localhost|127\.[0-9.]+)(:|$)/.test(server.trim()));
  if (hasPassword && !isLocal) {
    findings.push(`the password goes to ZooKeeper at ${client.servers} unencrypted: its driver has no TLS`);
  }
  const session = await client.session(signal);
  await session.sync(root, signal);
  for (const name of (await session.children(root, signal)) ?? []) {
    const nodes = new JobNodes(root, name);
    if (isJobName(name) && (await session.exists(nodes.head, signal))) continue;
    findings.push(`${nodes.job} in ZooKeeper is no checkpoint: nothing of a job's is kept there`);
  }
  findings.push(...(await lostLogs(session, root, signal)));
  return findings;
}

/** Groups that show offsets of a job whose log is gone. */
async function lostLogs(session: ZooKeeperSession, root: string, signal: AbortSignal): Promise<string[]> {
  const findings: string[] = [];
  for (const group of ((await session.children("/consumers", signal)) ?? []).slice(0, MAX_GROUPS)) {
    const node = await session.get(offsetsPath(group), signal);
    const owner = node === undefined ? undefined : decodeOwner(node.data);
    const jobName = owner?.job.startsWith(`${root}/`) ? owner.job.slice(root.length + 1) : "";
    if (!isJobName(jobName) || (await session.exists(new JobNodes(root, jobName).head, signal))) continue;
    findings.push(
      `the checkpoint of ${jobName} is gone from ${root}, and its offsets are still in ${offsetsPath(group)}: ` +
        `bring it back; to begin anew, type in zkCli.sh: deleteall ${offsetsPath(group)}`,
    );
  }
  return findings;
}
