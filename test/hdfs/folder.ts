// A folder of its own for one test file on the run's HDFS, and a look into it that goes past the code under test.
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { hdfsServer } from "../servers/for-tests.ts";
import type { HdfsAddresses } from "../servers/hdfs/server.ts";

/** What is known of an HDFS; `http` may change with the name node that is active. */
interface Server extends Pick<HdfsAddresses, "url" | "superuser"> {
  readonly http: string | (() => Promise<string>);
}

export interface TestFolder<S extends Server = HdfsAddresses> extends AsyncDisposable {
  readonly server: S;
  /** `webhdfs://…/tidemark/<folder>?user.name=tidemark` */
  readonly url: string;
  /** Absolute in HDFS. */
  readonly path: string;
  /** The URL of a folder in it. */
  urlOf(name: string): string;
  /** The names in a folder, those that are folders with a slash at the end; none when there is no such folder. */
  list(path: string): Promise<string[]>;
  /** A file's bytes. */
  read(path: string): Promise<Buffer>;
  /** Makes a new file with these bytes. */
  write(path: string, bytes: Buffer | undefined): Promise<void>;
  /** Any WebHDFS operation, as the superuser; the answer's JSON, or undefined where it has none. */
  ask(method: string, path: string, query: Readonly<Record<string, string>>): Promise<unknown>;
}

/** Makes the folder; disposing of it removes it. `server`: default the run's own. */
export async function testFolder(): Promise<TestFolder>;
export async function testFolder<S extends Server>(server: S): Promise<TestFolder<S>>;
export async function testFolder(server?: Server): Promise<TestFolder<Server>> {
  const used = server ?? (await hdfsServer());
  const name = newName("test");
  // Not by URL, which knows no list of hosts.
  const [, above = ""] = /^webhdfs:\/\/[^/]+(\/[^?]*)/.exec(used.url) ?? [];
  const path = `${above}/${name}`;
  const request = async (method: string, at: string, query: Readonly<Record<string, string>>) => {
    const search = new URLSearchParams({ ...query, "user.name": used.superuser });
    const escaped = at.split("/").map(encodeURIComponent).join("/");
    const http = typeof used.http === "string" ? used.http : await used.http();
    return await fetch(`${http}/webhdfs/v1${escaped}?${search}`, { method });
  };
  const ask = async (method: string, at: string, query: Readonly<Record<string, string>>) => {
    const answer = await request(method, at, query);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${at}: ${text.slice(0, 300)}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  return {
    server: used,
    url: used.url.replace(above, path),
    path,
    urlOf: (folder) => used.url.replace(above, `${path}/${folder}`),
    ask,
    async list(at) {
      const answer = await request("GET", at, { op: "LISTSTATUS" });
      if (answer.status === 404) return [];
      const { FileStatuses } = (await answer.json()) as {
        FileStatuses: { FileStatus: { pathSuffix: string; type: string }[] };
      };
      return FileStatuses.FileStatus.map((item) => `${item.pathSuffix}${item.type === "DIRECTORY" ? "/" : ""}`);
    },
    async read(at) {
      const answer = await request("GET", at, { op: "OPEN" });
      if (!answer.ok) throw new Error(`${at}: ${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    },
    async write(at, bytes = Buffer.alloc(0)) {
      const { Location } = (await ask("PUT", at, { op: "CREATE", overwrite: "false", noredirect: "true" })) as {
        Location: string;
      };
      await putBytes(Location, bytes);
    },
    async [Symbol.asyncDispose]() {
      await ask("DELETE", path, { op: "DELETE", recursive: "true" });
    },
  };
}

/** The DataNode says "100 Continue" without having been asked, which fetch does not take. */
function putBytes(url: string, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/octet-stream" };
    const sent = request(url, { method: "PUT", headers }, (answer) => {
      answer.resume().on("end", () => {
        if (answer.statusCode === 201) resolve();
        else reject(new Error(`PUT ${url}: ${answer.statusCode}`));
      });
    });
    sent.on("error", reject);
    sent.end(bytes);
  });
}

/** A name that nobody else uses; a job's, too. */
export function newName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString("hex")}`;
}
