// What people get wrong about HDFS, and what they are told: what is wrong, and what to type.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { HdfsFileSystem, parseHdfsUrl } from "../../connectors/hdfs/client.ts";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import { CheckpointMissingError, ConfigError, TransientError } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { entry, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";

const { signal } = new AbortController();
let folder: TestFolder;
beforeAll(async () => {
  folder = await testFolder();
}, serverStartTimeoutMs);
afterAll(() => folder[Symbol.asyncDispose]());

const sinkContext = { jobName: "job", baseDir: ".", warn: () => undefined, lineageId: "0".repeat(32), epoch: 1n };

async function failureOf(doing: Promise<unknown>): Promise<Error & { hint?: string }> {
  const outcome = await doing.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (outcome instanceof Error) return outcome;
  throw new Error("it did not fail");
}

async function takeOver(url: string) {
  await using store = hdfsStore({ url, timeoutMs: 20_000 });
  await store.takeOver(newName("job"), next("begin"), signal);
}

describe("a URL", () => {
  const wrong = [
    ["hdfs://namenode:8020/dir", "begins with webhdfs://"],
    ["webhdfs://namenode:9870", "has no folder"],
    ["webhdfs://namenode:9870/", "has no folder"],
    ["webhdfs:///dir", "no name node"],
    ["webhdfs://namenode:99999/dir", "no name node"],
    ["webhdfs://a,,b/dir", "no name node"],
    ["webhdfs://namenode/a/../b", '".."'],
    ["webhdfs://namenode/a:b", '"a:b"'],
    ["webhdfs://namenode/a%zz", "no escape"],
    ["webhdfs://namenode/dir?usr.name=me", '"usr.name"'],
    ["webhdfs://namenode/dir?ca=/ca.crt", "for TLS"],
  ] as const;
  it.each(wrong)("that cannot be right is refused before anything connects: %s", (url, reason) => {
    for (const open of [() => hdfsStore({ url }), () => hdfsSink({ url })]) {
      expect(open).toThrow(ConfigError);
      expect(open).toThrow(reason);
    }
  });

  it("with a password is refused without showing it", () => {
    const open = () => hdfsStore({ url: "webhdfs://me:secret@namenode:9870/dir" });
    expect(open).toThrow(ConfigError);
    expect(open).not.toThrow(/secret/);
  });

  it("of a store finds it on the command line, too, and says what it reads", async () => {
    await using store = await openStore("webhdfs://NN1,[::1]:50070/a%20b/c/?user.name=me", { baseDir: "." });
    expect(store.url).toBe("webhdfs://nn1:9870,[::1]:50070/a%20b/c?user.name=me");
  });
});

describe("options of hdfsSink", () => {
  const url = "webhdfs://namenode:9870/out";
  const wrong: readonly (readonly [object, string])[] = [
    [{ format: "csv" }, "columns"],
    [{ format: "csv", columns: ["a", "a"] }, "columns"],
    [{ format: "avro" }, "format"],
    [{ compression: "lz4" }, "compression"],
    [{ compactAfterFiles: 1 }, "compactAfterFiles"],
    [{ compactAfterFiles: 1_000 }, "compactAfterFiles"],
    [{ timeoutMs: 0 }, "timeoutMs"],
    [{ url: `${url},1` }, "comma"],
  ];
  it.each(wrong)("are refused when they are wrong: %j", (options, reason) => {
    const open = () => hdfsSink({ url, ...options } as Parameters<typeof hdfsSink>[0]);
    expect(open).toThrow(ConfigError);
    expect(open).toThrow(reason);
  });
});

describe("a connection", () => {
  it("is tried with the next name node where the first is not there", async () => {
    const { host } = new URL(folder.url);
    await takeOver(folder.urlOf("several").replace(host, `127.0.0.1:9,${host}`));
    expect(await folder.list(`${folder.path}/several`)).toHaveLength(1);
  });

  it("that is refused says where to", async () => {
    const failure = await failureOf(takeOver("webhdfs://127.0.0.1:9,127.0.0.1:10/dir"));
    expect(failure).toBeInstanceOf(TransientError);
    expect(failure.message).toContain("HDFS at 127.0.0.1:9,127.0.0.1:10");
    expect(failure.hint).toContain("is it running");
  });

  it("by TLS keeps rows and checkpoints, and trusts nobody but the authority that is named", async () => {
    const withFolder = folder.server.tlsUrl.replace("/tidemark", `${folder.path}/tls`);
    await takeOver(withFolder);
    await using writer = await hdfsSink({ url: withFolder }).open(sinkContext, signal);
    expect(writer).toBeDefined();
    for (const url of [
      withFolder.replace(/&ca=.*/, ""),
      withFolder.replace(/ca=.*/, `ca=${encodeURIComponent(folder.server.strangerCa)}`),
    ]) {
      const failure = await failureOf(takeOver(url));
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.hint).toContain("?ca=/path/ca.crt");
    }
  });

  it("without TLS to where TLS is wanted, and the other way round, says so", async () => {
    const { host: tls } = new URL(folder.server.tlsUrl.replace("swebhdfs", "http"));
    const plain = await failureOf(takeOver(folder.url.replace(new URL(folder.url).host, tls)));
    expect(plain.hint).toContain("swebhdfs://");
    const other = folder.server.tlsUrl.replace(tls, new URL(folder.url).host);
    expect(await failureOf(takeOver(other))).toBeInstanceOf(ConfigError);
  });

  it("to something else that speaks HTTP says what is expected there", async () => {
    const dataNode = folder.server.http;
    const failure = await failureOf(takeOver(`webhdfs://${new URL(dataNode).host}/dir?user.name=nobody`));
    expect(failure).toBeInstanceOf(ConfigError);
  });
});

describe("a user without the right", () => {
  it("is told what to type, by the store and by the sink", async () => {
    const url = folder.url.replace("user.name=tidemark", "user.name=stranger");
    for (const doing of [() => takeOver(url), () => hdfsSink({ url }).open(sinkContext, signal)]) {
      const failure = await failureOf(doing());
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.message).toContain("Permission denied: user=stranger");
      expect(failure.hint).toContain("hdfs dfs -chown stranger /tidemark");
    }
  });

  it("is what doctor finds, and nothing where all is well", async () => {
    await takeOver(folder.urlOf("well"));
    await using store = hdfsStore({ url: folder.urlOf("well") });
    expect(await store.examine(signal)).toEqual([]);
    await using theirs = hdfsStore({ url: folder.urlOf("well"), user: "stranger" });
    expect((await theirs.examine(signal)).join("\n")).toContain("Permission denied");
    await folder.ask("PUT", `${folder.path}/well`, { op: "SETPERMISSION", permission: "755" });
    expect(await store.examine(signal)).toEqual([expect.stringContaining("hdfs dfs -chmod 700")]);
  });

  it("whose quota is used up is told how to raise it", async () => {
    await folder.ask("PUT", `${folder.path}/full`, { op: "MKDIRS", permission: "777" });
    await folder.ask("PUT", `${folder.path}/full`, { op: "SETQUOTA", namespacequota: "3" });
    const failure = await failureOf(takeOver(folder.urlOf("full")));
    expect(failure).toBeInstanceOf(TransientError);
    expect(failure.hint).toContain("hdfs dfsadmin -setQuota");
  });
});

it("a checkpoint that is removed while its job runs is missing, and is not begun anew", async () => {
  const job = newName("job");
  await using store = hdfsStore({ url: folder.urlOf("store") });
  const writer = await store.takeOver(job, next("begin"), signal);
  await folder.ask("DELETE", `${folder.path}/store/${job}`, { op: "DELETE", recursive: "true" });
  await expect(writer.append(1n, entry("one"), [], signal)).rejects.toBeInstanceOf(CheckpointMissingError);
  expect(await store.bounds(job, signal)).toBeUndefined();
});

describe("a name node that sends elsewhere than to a DataNode", () => {
  const places = [
    "http://unix:/tmp/service.socket:/x",
    "file:///etc/passwd",
    "https://127.0.0.1:1/webhdfs",
    "//127.0.0.1/webhdfs",
    "nowhere",
  ];
  it.each(places)("is not obeyed: %s", async (place) => {
    const location = `${place}?delegation=secret`;
    const server = createServer((_, answer) => answer.writeHead(307, { location }).end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `webhdfs://127.0.0.1:${(server.address() as AddressInfo).port}/dir`;
    await using files = new HdfsFileSystem(parseHdfsUrl(url), 5_000);
    const failure = await failureOf(files.create("/dir/file", Buffer.from("bytes"), { signal }));
    server.close();
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain("no DataNode's http:");
    expect(failure.message).not.toContain("secret");
  });
});
