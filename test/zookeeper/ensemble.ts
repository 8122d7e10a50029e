// The run's ZooKeeper for one test file: a root of its own, and a look into it that goes past the code under test (the
// driver itself, with a session of its own).
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import zookeeper, { type Client } from "node-zookeeper-client";
import { zookeeperServer } from "../servers/for-tests.ts";

/** A look into an ensemble. */
export interface Witness extends Disposable {
  /** A node's data as text; undefined where there is none. */
  text(path: string): Promise<string | undefined>;
  /** How often its data were set; undefined where there is no node. */
  version(path: string): Promise<number | undefined>;
  /** The names below, sorted as numbers where they are; undefined where there is no node. */
  names(path: string): Promise<string[] | undefined>;
  set(path: string, text: string): Promise<void>;
  /** Makes a node and those above it. */
  make(path: string, text: string): Promise<void>;
  /** Removes a node and those below it. */
  removeAll(path: string): Promise<void>;
}

export interface TestEnsemble extends Witness {
  readonly servers: string;
  /** A path that nobody else uses. */
  readonly root: string;
}

/** The run's server with a new root; disposing of it ends the witness. */
export async function testEnsemble(): Promise<TestEnsemble> {
  const { servers } = await zookeeperServer();
  return { servers, root: `/${newName("root")}`, ...(await witness(servers)) };
}

/** Looks into the ensemble at `servers`. */
export async function witness(servers: string): Promise<Witness> {
  const client = zookeeper.createClient(servers);
  await new Promise<void>((resolve) => {
    client.once("connected", resolve);
    client.connect();
  });
  const ifThere = <T>(answer: Promise<T>) =>
    answer.catch((error: { name?: string }) => {
      if (error.name === "NO_NODE") return undefined;
      throw error;
    });
  return {
    text: async (path) => (await ifThere(nodeOf(client, path)))?.data.toString(),
    version: async (path) => (await ifThere(nodeOf(client, path)))?.version,
    names: async (path) => (await ifThere(namesOf(client, path)))?.sort((a, b) => Number(a) - Number(b)),
    set: async (path, text) =>
      await new Promise((resolve, reject) => {
        client.setData(path, Buffer.from(text), (error) => (error ? reject(error) : resolve()));
      }),
    make: async (path, text) =>
      await new Promise((resolve, reject) => {
        client.mkdirp(path, Buffer.from(text), (error) => (error ? reject(error) : resolve()));
      }),
    removeAll: async (path) => await removeAll(client, path),
    [Symbol.dispose]: () => client.close(),
  };
}

/** A name that nobody else uses. */
export function newName(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString("hex")}`;
}

function nodeOf(client: Client, path: string): Promise<{ data: Buffer; version: number }> {
  return new Promise((resolve, reject) => {
    client.getData(path, (error, data, stat) => {
      if (error) reject(error);
      else resolve({ data: data ?? Buffer.alloc(0), version: stat.version });
    });
  });
}

function namesOf(client: Client, path: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    client.getChildren(path, (error, names) => (error ? reject(error) : resolve(names)));
  });
}

/** Again, when somebody makes or removes nodes there meanwhile. */
async function removeAll(client: Client, path: string): Promise<void> {
  const remove = promisify(client.remove.bind(client) as (path: string, callback: (error: unknown) => void) => void);
  for (;;) {
    try {
      for (const name of await namesOf(client, path)) await removeAll(client, `${path}/${name}`);
      await remove(path);
      return;
    } catch (error) {
      const { name } = error as { name?: string };
      if (name === "NO_NODE") return;
      if (name !== "NOT_EMPTY") throw error;
    }
  }
}
