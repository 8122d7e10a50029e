// WebHDFS: CREATE of a temporary file, at the name node and then at the data node that it names, and a RENAME that
// overwrites nothing. By Node's own HTTP, over connections that stay open.
import { Agent, request } from "node:http";
import type { RawAppend } from "../raw-append.ts";

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
}

/** Makes a folder of its own in the folder of the URL, and removes it in the end. */
export async function rawHdfsAppend(url: string, name: string): Promise<RawAppend> {
  const { host, pathname, searchParams } = new URL(url.replace(/^webhdfs:/, "http:"));
  const agent = new Agent({ keepAlive: true });
  const folder = `${pathname.replace(/\/$/, "")}/${name}-raw`;
  const user = searchParams.get("user.name") ?? "";
  const ask = async (method: string, path: string, query: Record<string, string>, expected: number) => {
    const asked = new URLSearchParams({ ...query, "user.name": user });
    const answer = await send(agent, method, `http://${host}/webhdfs/v1${path}?${asked}`);
    if (answer.status !== expected) throw new Error(`${query["op"]} of ${path} answers ${answer.status}`);
    return answer;
  };
  await ask("PUT", folder, { op: "MKDIRS" }, 200);
  return {
    async append(seq, bytes) {
      const temporary = `${folder}/_${seq}`;
      const { location = "" } = await ask("PUT", temporary, { op: "CREATE", overwrite: "false" }, 307);
      const { status } = await send(agent, "PUT", location, bytes);
      if (status !== 201) throw new Error(`the data node answers ${status}`);
      await ask("PUT", temporary, { op: "RENAME", destination: `${folder}/${seq}`, renameoptions: "NONE" }, 200);
    },
    async [Symbol.asyncDispose]() {
      await ask("DELETE", folder, { op: "DELETE", recursive: "true" }, 200);
      agent.destroy();
    },
  };
}

function send(agent: Agent, method: string, url: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, agent }, (response) => {
      response.resume();
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, location: response.headers.location }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
