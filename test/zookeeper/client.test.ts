// The client on a real ZooKeeper: what it answers, what it refuses, and that no call waits for ever.
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Operation, parseZooKeeperUrl, ZooKeeperClient } from "../../connectors/zookeeper/client.ts";
import { ConfigError, OutcomeUnknownError, type TidemarkError, TransientError } from "../../runtime/index.ts";
import { type OwnServer, ownZookeeperServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { fourLetterWord } from "../servers/zookeeper/four-letter-word.ts";
import type { ZooKeeperAddresses } from "../servers/zookeeper/server.ts";
import { newName } from "./ensemble.ts";

const QUICK = { callTimeoutMs: 800, sessionTimeoutMs: 1_000 };
const { signal } = new AbortController();
const nothing = new Uint8Array();

let server: ZooKeeperAddresses & OwnServer;
let client: ZooKeeperClient;
beforeAll(async () => {
  server = await ownZookeeperServer();
  client = await ZooKeeperClient.open({ servers: server.servers }, signal);
}, serverStartTimeoutMs);
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A node that nobody else uses. */
async function newNode(text = ""): Promise<string> {
  const path = `/${newName("node")}`;
  expect(await client.create(path, bytes(text), signal)).toBe("done");
  return path;
}

async function failureOf(work: () => Promise<unknown>): Promise<TidemarkError> {
  try {
    await work();
  } catch (error) {
    return error as TidemarkError;
  }
  throw new Error("it did not fail");
}

describe("answers", () => {
  it("a node with its data, version and age, and nothing where there is none", async () => {
    const path = await newNode("text");
    const node = await client.get(path, signal);
    expect(node?.data.toString()).toBe("text");
    expect(node).toMatchObject({ version: 0, childCount: 0 });
    expect(Math.abs(Date.now() - (node?.createdMs ?? 0))).toBeLessThan(60_000);
    expect(await client.get(`${path}-none`, signal)).toBeUndefined();
    expect(await client.children(`${path}-none`, signal)).toBeUndefined();
    expect(await client.exists(`${path}-none`, signal)).toBe(false);
  });

  it("why a node was not made, set or removed", async () => {
    const path = await newNode();
    expect(await client.create(path, nothing, signal)).toBe("exists");
    expect(await client.create(`${path}/a/b`, nothing, signal)).toBe("no-node");
    await client.mkdirp(`${path}/a/b`, signal);
    await client.mkdirp(`${path}/a/b`, signal);
    expect(await client.children(path, signal)).toEqual(["a"]);
    expect(await client.remove(path, signal)).toBe("not-empty");
    expect(await client.set(`${path}/a/b`, bytes("x"), 1, signal)).toBe("bad-version");
    expect(await client.remove(`${path}/a/b`, signal, 1)).toBe("bad-version");
    expect(await client.remove(`${path}/a/b`, signal, 0)).toBe("done");
  });

  it("version 0 is version 0, which the driver takes for any", async () => {
    const path = await newNode();
    expect(await client.set(path, bytes("x"), 0, signal)).toBe("done");
    for (const operation of [
      { do: "set", path, data: nothing, version: 0 },
      { do: "check", path, version: 0 },
      { do: "remove", path, version: 0 },
    ] satisfies Operation[]) {
      expect(await client.transaction([operation], signal), operation.do).toEqual({ is: "bad-version", failed: 0 });
    }
    expect((await client.get(path, signal))?.version).toBe(1);
  });

  it("which operation of a transaction could not be done; then none is", async () => {
    const path = await newNode();
    const create = (name: string): Operation => ({ do: "create", path: `${path}/${name}`, data: nothing });
    await client.transaction([create("there")], signal);
    const operations: Operation[] = [{ do: "check", path }, create("new"), create("there"), create("newer")];
    expect(await client.transaction(operations, signal)).toEqual({ is: "exists", failed: 2 });
    expect(await client.children(path, signal)).toEqual(["there"]);
  });

  it("takes several thousand calls at once", async () => {
    const path = await newNode("x".repeat(1_000));
    const nodes = await Promise.all(Array.from({ length: 3_000 }, () => client.get(path, signal)));
    expect(nodes.every((node) => node?.data.length === 1_000)).toBe(true);
  });
});

describe("refuses", () => {
  it("a request that the server would close the connection over, before it is sent", async () => {
    const path = await newNode();
    const failure = await failureOf(() => client.create(`${path}/large`, new Uint8Array(1_040_000), signal));
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.hint).toContain("1040000 bytes");
    expect(await client.create(`${path}/large`, new Uint8Array(1_039_000), signal)).toBe("done");
    expect((await client.get(`${path}/large`, signal))?.data.length).toBe(1_039_000);
  });

  it.each(["/a/../b", "a", "/a//b", "/a/", ""])("the path %j", async (path) => {
    expect(await failureOf(() => client.get(path, signal))).toBeInstanceOf(ConfigError);
  });

  it.each(["", "a b", "h:x", "h:0", "h:99999", "h1,,h2", "zookeeper://h", "h/path"])("the servers %j", (servers) => {
    expect(() => new ZooKeeperClient({ servers })).toThrow(ConfigError);
  });

  it("what belongs to another user, and names the node", async () => {
    const path = `/${newName("mine")}`;
    const digest = { user: "owner", password: "right" };
    await using owner = await ZooKeeperClient.open({ servers: server.servers, digest }, signal);
    await owner.create(path, bytes("mine"), signal, "maker");
    await owner.create(`${path}/shown`, bytes("shown"), signal, "maker-others-read");
    const wrong = { user: "owner", password: "wrong" };
    await using stranger = await ZooKeeperClient.open({ servers: server.servers, digest: wrong }, signal);
    const failures = [
      await failureOf(() => stranger.get(path, signal)),
      await failureOf(() =>
        stranger.transaction(
          [
            { do: "check", path: "/" },
            { do: "set", path, data: nothing },
          ],
          signal,
        ),
      ),
    ];
    for (const failure of failures) {
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.message).toContain(path);
      expect(failure.message).toContain("NO_AUTH");
      expect(`${failure.message} ${failure.hint}`).not.toContain("wrong ");
      expect(failure.hint).toContain("getAcl");
    }
    expect((await stranger.get(`${path}/shown`, signal))?.data.toString()).toBe("shown");
    await using again = await ZooKeeperClient.open({ servers: server.servers, digest }, signal);
    expect((await again.get(path, signal))?.data.toString()).toBe("mine");
  });

  it("to make private nodes for somebody without a user", async () => {
    const failure = await failureOf(() => client.create(`/${newName("mine")}`, nothing, signal, "maker"));
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.hint).toContain("without a user");
  });
});

describe("waits no longer than it was told", () => {
  it("where nobody listens, and names all servers that it tried", async () => {
    const servers = "127.0.0.1:1,127.0.0.1:2";
    const failure = await failureOf(() => ZooKeeperClient.open({ servers, ...QUICK }, signal));
    expect(failure).toBeInstanceOf(TransientError);
    expect(failure.message).toContain(`cannot connect to ZooKeeper at ${servers}: connect ECONNREFUSED`);
  });

  it("goes to the server that is there when another is not", async () => {
    for (let time = 0; time < 8; time++) {
      await using some = await ZooKeeperClient.open({ servers: `127.0.0.1:1,${server.servers}`, ...QUICK }, signal);
      expect(await some.exists("/", signal)).toBe(true);
    }
  });

  it.each([
    ["says nothing", ""],
    ["speaks another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["says what the driver cannot read", "\u0000\u0000\u0000\u0004nope\u0000\u0000\u0000\u0001"],
  ])("for a server that %s", async (_, answer) => {
    const other = createServer((socket) => socket.on("error", () => undefined).write(answer));
    await new Promise<void>((resolve) => other.listen({ port: 0, host: "127.0.0.1" }, resolve));
    const servers = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    const beganMs = performance.now();
    const failure = await failureOf(() => ZooKeeperClient.open({ servers, ...QUICK }, signal));
    expect(failure).toBeInstanceOf(TransientError);
    expect(failure.message).toContain(servers);
    expect(performance.now() - beganMs).toBeLessThan(QUICK.callTimeoutMs + 500);
    other.close();
  });

  it("for a server that is frozen: reads can be tried again, of a write nobody knows", async () => {
    const path = await newNode();
    await using quick = await ZooKeeperClient.open({ servers: server.servers, ...QUICK }, signal);
    server.pause();
    const [read, write] = await Promise.all([
      failureOf(() => quick.get(path, signal)),
      failureOf(() => quick.set(path, bytes("late"), 0, signal)),
    ]);
    const connecting = await failureOf(() => quick.get(path, signal));
    server.resume();
    expect(read).toBeInstanceOf(TransientError);
    expect(write).toBeInstanceOf(OutcomeUnknownError);
    expect(write.message).toContain(`cannot set ${path} (ZooKeeper at ${server.servers}): no reply within 800 ms`);
    expect(connecting).toBeInstanceOf(TransientError);
    // The session that was frozen is forgotten by the server meanwhile; a new one goes on.
    expect(["done", "bad-version"]).toContain(await quick.set(path, bytes("again"), 0, signal));
    expect((await quick.get(path, signal))?.version).toBe(1);
  });

  it("until its caller gives up, which disturbs nobody else", async () => {
    const path = await newNode("x");
    server.pause();
    const controller = new AbortController();
    const given = failureOf(() => client.get(path, controller.signal));
    const other = client.get(path, signal);
    controller.abort(new Error("no more"));
    expect((await given).message).toBe("no more");
    server.resume();
    expect((await other)?.data.toString()).toBe("x");
  });
});

describe("sessions", () => {
  it("are opened anew after the server was restarted, and closed in good order", async () => {
    const path = await newNode("kept");
    const own = await ZooKeeperClient.open({ servers: server.servers }, signal);
    await server.restart();
    expect((await own.get(path, signal))?.data.toString()).toBe("kept");
    const sessions = async () => {
      const answer = await fourLetterWord(Number(server.servers.split(":")[1]), "dump", signal);
      return Number(/Session Sets \(\d+\)\/\((\d+)\)/.exec(answer)?.[1]);
    };
    const before = await sessions();
    await own[Symbol.asyncDispose]();
    await waitUntil(async () => (await sessions()) === before - 1, { what: "it is closed", withinMs: 2_000, signal });
    await expect(own.get(path, signal)).rejects.toThrow("is closed");
  });

  it("that have ended fail the reads that must be of one session", async () => {
    const path = await newNode("x");
    const session = await client.session(signal);
    await session.sync(path, signal);
    expect((await session.get(path, signal))?.data.toString()).toBe("x");
    await server.restart();
    expect(await failureOf(() => session.get(path, signal))).toBeInstanceOf(TransientError);
    expect((await client.get(path, signal))?.data.toString()).toBe("x");
  });
});

describe("a URL", () => {
  it("gives servers, user, path and parameters", () => {
    const url = "zookeeper://us%40er:p%3Aa%2Fs@h1:2181,h2/a/b/?group=g";
    const { servers, digest, path, parameters } = parseZooKeeperUrl(url);
    expect({ servers, digest, path }).toEqual({
      servers: "h1:2181,h2",
      digest: { user: "us@er", password: "p:a/s" },
      path: "/a/b",
    });
    expect(parameters.get("group")).toBe("g");
    expect(parseZooKeeperUrl("zookeeper://h").path).toBeUndefined();
  });

  it.each([
    "zookeeper:/h",
    "zookeeper://",
    "zookeeper://user@h/a",
    "zookeeper://h/a/../b",
    "zookeeper://h/zookeeper/config",
    "zookeeper://h/a%20b",
    "zookeeper://h/%",
    "http://h/a",
  ])("%s is refused", (url) => {
    expect(() => parseZooKeeperUrl(url)).toThrow(ConfigError);
  });
});
