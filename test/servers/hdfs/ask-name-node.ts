// The few questions that starting HDFS asks of a NameNode, over WebHDFS and by hand: whether it serves, whether it has
// a DataNode that works, and the making of a folder for a user without special rights.
import { request } from "node:http";
import { userInfo } from "node:os";

const answerWithinMs = 5_000;

export interface NameNode {
  /** Of its HTTP. */
  readonly port: number;
  readonly signal: AbortSignal;
}

/** Whether it answers about the root folder. */
export async function isServing(nameNode: NameNode): Promise<boolean> {
  return (await ask(nameNode, "/webhdfs/v1/", { op: "GETFILESTATUS" })).ok;
}

/** Whether it is the active one of several; undefined while it does not say. */
export async function isActive(nameNode: NameNode): Promise<boolean | undefined> {
  const answer = await ask(nameNode, "/jmx", { qry: "Hadoop:service=NameNode,name=NameNodeStatus" });
  const { beans } = (await answer.json()) as { beans: { State: string }[] };
  return beans[0] && beans[0].State === "active";
}

/** Whether it takes writes and has a live DataNode. */
export async function hasDataNode(nameNode: NameNode): Promise<boolean> {
  const answer = await ask(nameNode, "/jmx", { qry: "Hadoop:service=NameNode,name=FSNamesystemState" });
  const { beans } = (await answer.json()) as { beans: { FSState: string; NumLiveDataNodes: number }[] };
  return beans[0]?.FSState === "Operational" && beans[0].NumLiveDataNodes > 0;
}

/** Makes a folder below the root that belongs to `user`, and to nobody else. Idempotent. */
export async function makeHome(nameNode: NameNode, folder: string, user: string): Promise<boolean> {
  const path = `/webhdfs/v1/${folder}`;
  const made = await ask(nameNode, path, { op: "MKDIRS", permission: "700" }, "PUT");
  return made.ok && (await ask(nameNode, path, { op: "SETOWNER", owner: user, group: user }, "PUT")).ok;
}

/** Whether a file can be written: the first one takes a DataNode seconds. */
export async function canWrite(nameNode: NameNode): Promise<boolean> {
  const path = "/webhdfs/v1/.tried-at-start";
  const asked = await ask(nameNode, path, { op: "CREATE", overwrite: "true", noredirect: "true" }, "PUT");
  const { Location } = (await asked.json()) as { Location: string };
  return await new Promise((resolve, reject) => {
    // Not by fetch: it does not take the "100 Continue" that a DataNode sends unasked.
    const sent = request(Location, { method: "PUT", signal: nameNode.signal }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode === 201));
    });
    sent.on("error", reject);
    sent.end("tried\n");
  });
}

function ask(
  { port, signal }: NameNode,
  path: string,
  query: Readonly<Record<string, string>>,
  method = "GET",
): Promise<Response> {
  // Whoever runs the NameNode is its superuser.
  const search = new URLSearchParams({ ...query, "user.name": userInfo().username });
  const url = `http://127.0.0.1:${port}${path}?${search}`;
  return fetch(url, { method, signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]) });
}
