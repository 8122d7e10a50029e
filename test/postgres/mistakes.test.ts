// What goes wrong with a database, and what people are told: the place, what is wrong, and what to type; never a
// password.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { map } from "rxjs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryStore } from "../../checkpoints/memory.ts";
import { postgresStore } from "../../checkpoints/postgres.ts";
import { memorySource } from "../../connectors/memory/index.ts";
import { parseAddress } from "../../connectors/postgres/address.ts";
import { postgresSink } from "../../connectors/postgres/index.ts";
import { ConfigError, defineJob, runJob, TidemarkError, TransientError } from "../../runtime/index.ts";
import { openStore } from "../../runtime/open-store.ts";
import { postgresServer, serverStartTimeoutMs } from "../servers/for-tests.ts";
import type { PostgresAddresses } from "../servers/postgres/server.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestDatabase, testDatabase } from "./database.ts";
import { writeRows } from "./write-rows.ts";

const { signal } = new AbortController();
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);
const SECRET = "s3cr3t-p@ss";

let database: TestDatabase;
let server: PostgresAddresses;
beforeAll(async () => {
  server = await postgresServer();
  database = await testDatabase();
}, serverStartTimeoutMs);
afterAll(() => database[Symbol.asyncDispose]());

async function errorOf(work: () => Promise<unknown>): Promise<TidemarkError> {
  const error = await work().then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof TidemarkError)) throw new Error("it did not fail as it should", { cause: error });
  return error;
}

/** What is said when a store is asked at this URL. */
async function errorAt(url: string): Promise<TidemarkError> {
  await using store = postgresStore({ url });
  return await errorOf(() => store.bounds("job", signal));
}

function changed(url: string, change: (url: URL) => void): string {
  const copy = new URL(url);
  change(copy);
  return copy.href;
}

/** Something that takes connections in place of a Postgres; a user without a password in its URL. */
async function listen(onSocket: (socket: Socket) => void): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    onSocket(socket.on("error", () => undefined));
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  return {
    url: `postgres://u@127.0.0.1:${port}/app`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      listener.close();
    },
  };
}

describe("connecting", () => {
  it("names the user when the password is wrong, and shows none", async () => {
    const error = await errorAt(changed(database.url, (url) => (url.password = encodeURIComponent(SECRET))));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/cannot .* \(Postgres at 127\.0\.0\.1:\d+\/db_\w+\): password authentication failed/);
    expect(error.hint).toMatch(/password of "tidemark"/);
    expect(JSON.stringify([error.message, error.hint, error.stack])).not.toContain("s3cr3t");
  });

  it("says that there is no password", async () => {
    const error = await errorAt(changed(database.url, (url) => (url.password = "")));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toMatch(/no password/);
  });

  it("leaves no login half-way", async () => {
    const mechanism = Buffer.from("SCRAM-SHA-256\0\0");
    const asksForPassword = Buffer.concat([Buffer.from([0x52, 0, 0, 0, mechanism.length + 8, 0, 0, 0, 10]), mechanism]);
    let closed = 0;
    await using asking = await listen((socket) => {
      socket.once("data", () => socket.write(asksForPassword));
      socket.on("close", () => closed++);
    });
    await errorAt(asking.url);
    await waitUntil(() => closed === 1, { what: "the connection is closed", withinMs: 2_000, signal });
  });

  it("takes a password from a function, anew for each connection", async () => {
    let asked = 0;
    const password = async () => {
      asked++;
      return decodeURIComponent(new URL(database.url).password);
    };
    const url = changed(database.url, (each) => (each.password = "wrong"));
    await using store = postgresStore({ url, password });
    expect(await store.jobs(signal)).toEqual([]);
    expect(asked).toBeGreaterThan(0);
  });

  it("names the database that does not exist", async () => {
    const error = await errorAt(changed(database.url, (url) => (url.pathname = "/nowhere")));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toBe("create it: createdb nowhere, or mend the URL");
  });

  it("calls a server that refuses connections a reason to try again", async () => {
    const error = await errorAt("postgres://u:p@127.0.0.1:1/app");
    expect(error).toBeInstanceOf(TransientError);
    expect(error.message).toMatch(/127\.0\.0\.1:1\/app.*ECONNREFUSED/);
    expect(error.hint).toMatch(/is it running/);
  });

  it("does not wait for ever for something that takes connections and says nothing", async () => {
    await using silent = await listen(() => undefined);
    const beganMs = performance.now();
    const error = await errorAt(`${silent.url}?connect_timeout=1`);
    expect(error).toBeInstanceOf(TransientError);
    expect(performance.now() - beganMs).toBeLessThan(4_000);
  });

  it("gives up at once when the signal is given", async () => {
    await using store = postgresStore({ url: database.url });
    const stop = new AbortController();
    const asked = store.bounds("job", stop.signal);
    stop.abort(new Error("stopped by the test"));
    await expect(asked).rejects.toThrow("stopped by the test");
    expect(await store.bounds("job", signal)).toBeUndefined();
  });
});

describe("TLS", () => {
  const works = async (url: string) => {
    await using store = postgresStore({ url });
    return await store.jobs(signal);
  };

  it("checks certificate and name under every sslmode that does not say otherwise", async () => {
    expect(await works(server.tlsUrl)).toBeDefined();
    expect(await works(server.mutualTlsUrl)).toBeDefined();
    for (const mode of ["require", "verify-ca", "verify-full"]) {
      const trusted = changed(server.tlsUrl, (url) => url.searchParams.set("sslmode", mode));
      expect(await works(trusted)).toBeDefined();
      const untrusted = await errorAt(changed(trusted, (url) => url.searchParams.delete("sslrootcert")));
      expect(untrusted).toBeInstanceOf(ConfigError);
      expect(untrusted.hint).toMatch(/sslrootcert=/);
      const stranger = changed(trusted, (url) => url.searchParams.set("sslrootcert", server.strangerCa));
      expect(await errorAt(stranger)).toBeInstanceOf(ConfigError);
    }
    expect(await works(`${database.url}?sslmode=no-verify`)).toBeDefined();
  });

  it("says which file of the URL cannot be read", async () => {
    const error = await errorAt(`${database.url}?sslmode=verify-full&sslrootcert=/nowhere/ca.crt`);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/sslrootcert .*\/nowhere\/ca\.crt/);
  });

  it("does not go on without TLS when the server has none", async () => {
    await using plain = await listen((socket) => socket.once("data", () => socket.end("N")));
    const error = await errorAt(`${plain.url}?sslmode=require`);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toMatch(/ssl = on/);
  });
});

describe("URLs", () => {
  it("finds what a URL leaves out in the environment, and writes the same place alike", () => {
    const place = "postgres me@db.example:5432/app";
    expect(parseAddress("postgres://me:x@DB.example/app").place).toBe(place);
    expect(parseAddress("postgresql://me@db.example:5432/app?sslmode=require").place).toBe(place);
    expect(parseAddress("postgres:///app?host=db.example&user=me&password=y").place).toBe(place);
    expect(parseAddress("postgres://me:p%40%2F%3A@[::1]/app")).toMatchObject({ host: "::1", password: "p@/:" });
    expect(parseAddress("postgres://me@/app?host=/var/run/postgresql").host).toBe("/var/run/postgresql");
  });

  it("shows a URL without its password", () => {
    const url = `postgres://me:${encodeURIComponent(SECRET)}@h:1/app?password=${encodeURIComponent(SECRET)}`;
    expect(postgresStore({ url }).url).toBe("postgres://me@h:1/app");
  });

  it("is found by its scheme", async () => {
    for (const scheme of ["postgres", "postgresql"]) {
      await using store = await openStore(`${scheme}://me:x@h/app`, { baseDir: "." });
      expect(store.url).toBe(`${scheme}://me@h/app`);
    }
  });

  it.each([
    "mysql://me:s3cr3t@h/app",
    "postgres:app:s3cr3t",
    "postgres://me:s3cr3t@h1,h2:5432/app",
    "postgres://me:s3cr3t@h:99999/app",
    "postgres://me:s3cr3t%@h/app",
    "postgres://me:s3cr3t@h/app?sslmode=prefer",
    "postgres://me:s3cr3t@h/app?sslmod=require",
    "postgres://me:s3cr3t@h/app?port=none",
  ])("refuses %s before anything connects, with a hint and without its password", (url) => {
    try {
      postgresSink({ url, table: "t" });
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).not.toContain("s3cr3t");
      return;
    }
    throw new Error("it was taken");
  });

  it("refuses options that cannot be right", () => {
    const url = "postgres://h/app";
    const wrong: object[] = [
      { mode: "replace" },
      { mode: "upsert" },
      { key: "id" },
      { mode: "upsert", key: [] },
      { mode: "upsert", key: "id", columns: ["a"] },
      { columns: [] },
      { columns: ["a", "a"] },
      { idleTimeoutMs: 0 },
      { statementTimeoutMs: 1.5 },
      { schema: "" },
    ];
    for (const each of wrong) {
      expect(() => postgresSink({ url, table: "t", ...each } as never), JSON.stringify(each)).toThrow(ConfigError);
    }
  });
});

describe("tables", () => {
  const write = (table: string, rows: object[], more: object = {}) =>
    errorOf(() => writeRows({ url: database.url, table, ...more }, rows));

  it("proposes the table that is missing, with types after the row", async () => {
    const table = newName("missing");
    const row = {
      id: 1,
      name: "x",
      rate: 0.5,
      big: 1n,
      ok: true,
      at: new Date(),
      raw: Buffer.of(1),
      more: { a: 1 },
      no: null,
    };
    const error = await write(table, [row], { mode: "upsert", key: "id" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(new RegExp(`^there is no table ${table} in 127\\.0\\.0\\.1:\\d+/db_`));
    await database.query(error.hint ?? "");
    await writeRows({ url: database.url, table, mode: "upsert", key: "id" as never }, [row]);
    expect(await database.query(`select id, more from ${table}`)).toEqual([{ id: "1", more: { a: 1 } }]);
  });

  it("names the column that is missing, and what could be written instead", async () => {
    const table = newName("narrow");
    await database.query(`create table ${table} (id integer)`);
    const error = await write(table, [{ id: 1, extra: "x" }]);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`${table} in `);
    expect(error.message).toContain('column "extra"');
    expect(error.hint).toMatch(/columns: \[…\]|alter table/);
  });

  it("shows the very row that does not fit, with table, column and batch", async () => {
    const table = newName("strict");
    await database.query(`create table ${table} (id integer primary key, amount smallint not null)`);
    const rows = Array.from({ length: 30_000 }, (_, id) => ({ id, amount: id === 23_456 ? "a\tb" : 1 }));
    const error = await write(table, rows);
    expect(error.code).toBe("ROW_REFUSED");
    expect(error.retryable).toBe(false);
    expect(error.message).toContain(`${table}, column amount refuses row 23457 of batch 0: invalid input syntax`);
    expect(error.message).toContain('{"id":"23456","amount":"a\\tb"}');
    expect(await database.query(`select count(*)::int as count from ${table}`)).toEqual([{ count: 0 }]);
  });

  it("names the record that a refused row came from, also when it is refused at the commit", async () => {
    const table = newName("strict");
    await database.query(`create table ${table} (id integer primary key, amount smallint)`);
    const jobOf = (bad: unknown) =>
      defineJob({
        name: "refused",
        source: memorySource({ partitions: [numbers(5_000), numbers(5_000, 5_000)] }),
        pipeline: (records$) => records$.pipe(map(({ value: id }) => ({ id, amount: id === 7_777 ? bad : 1 }))),
        sink: postgresSink({ url: database.url, table }),
        checkpoint: memoryStore(),
        trigger: "once",
      });
    const error = await errorOf(() => runJob(jobOf("many")));
    expect(error.message).toContain(`${table}, column amount refuses row 7778 of batch 0`);
    expect(error.message).toContain("(the pipeline gave this row at memory:1:2777)");
    const tooLarge = await errorOf(() => runJob(jobOf(70_000)));
    expect(tooLarge.message).toContain("(the pipeline gave this row at memory:1:2777)");
  });

  it("names the column that must not be null, and the key that is there already", async () => {
    const table = newName("strict");
    await database.query(`create table ${table} (id integer primary key, amount smallint not null)`);
    const isNull = await write(table, [{ id: 1, amount: null }]);
    expect(isNull.message).toContain(`${table}, column amount refuses row 1 of batch 0: null value in column "amount"`);
    const twice = await write(table, [
      { id: 1, amount: 1 },
      { id: 1, amount: 1 },
    ]);
    expect(twice.message).toContain(`${table} refuses row 2 of batch 0: duplicate key value`);
    expect(twice.hint).toContain("(id)=(1)");
  });

  it("says what an upsert needs", async () => {
    const table = newName("unkeyed");
    await database.query(`create table ${table} (id integer)`);
    const error = await write(table, [{ id: 1 }], { mode: "upsert", key: "id" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toBe(`create unique index on "${table}" ("id")`);
  });
});

describe("rights", () => {
  /** The URL of a role that may only connect. */
  async function stranger(): Promise<{ name: string; url: string }> {
    const name = newName("stranger");
    await database.admin(`create role ${name} login password 'x'`);
    const url = changed(database.url, (each) => {
      each.username = name;
      each.password = "x";
    });
    return { name, url };
  }

  it("says in one line what to grant when the tables cannot be made, and works once they may be", async () => {
    const { name, url } = await stranger();
    const schema = newName("mine");
    await using store = postgresStore({ url, schema });
    const begin = (head: bigint) => ({ seq: head + 1n, entry: { token: "t", bytes: new Uint8Array() } });
    const error = await errorOf(() => store.takeOver("job", begin, signal));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.hint).toMatch(/grant create on database "db_\w+" to "stranger_\w+"/);
    expect(error.hint).not.toContain("\n");
    const [finding] = await store.examine(signal);
    expect(finding).toContain(`create schema "${schema}" authorization "${name}"`);
    await database.admin(`create schema "${schema}" authorization "${name}"`);
    await using writer = await store.takeOver("job", begin, signal);
    expect(writer).toBeDefined();
    expect(await store.examine(signal)).toEqual([]);
    await database.admin(`drop owned by ${name}; drop role ${name}`);
  });

  it("says what to grant when rows may not be inserted", async () => {
    const { name, url } = await stranger();
    const [table, schema] = [newName("closed"), newName("mine")];
    await database.query(`create table ${table} (id integer)`);
    await database.admin(`create schema "${schema}" authorization "${name}"`);
    const error = await errorOf(() => writeRows({ url, table, schema }, [{ id: 1 }]));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`permission denied for table ${table}`);
    expect(error.hint).toMatch(/grant insert/);
    await database.admin(`drop owned by ${name}; drop role ${name}`);
  });

  it("examines a database that is not as durable as a checkpoint should be", async () => {
    const { name, url } = await stranger();
    await database.admin(`alter role ${name} set synchronous_commit = off`);
    await using store = postgresStore({ url });
    expect((await store.examine(signal)).join("\n")).toContain(`alter role "${name}" set synchronous_commit = on`);
    await database.admin(`drop role ${name}`);
  });
});

describe("migrations", () => {
  it("are made once when many begin together", async () => {
    const schema = newName("many");
    const stores = Array.from({ length: 12 }, () => postgresStore({ url: database.url, schema }));
    const begin = (head: bigint) => ({ seq: head + 1n, entry: { token: "t", bytes: new Uint8Array() } });
    await Promise.all(stores.map((store) => store.takeOver("job", begin, signal)));
    expect(await database.query(`select part, version from ${schema}.migrations`)).toEqual([
      { part: "store", version: 1 },
      { part: "store", version: 2 },
    ]);
    for (const store of stores) await store[Symbol.asyncDispose]();
  });

  it("of a newer version are not touched", async () => {
    const schema = newName("newer");
    await database.query(`create schema ${schema}`);
    await database.query(`create table ${schema}.migrations (part text, version integer)`);
    await database.query(`insert into ${schema}.migrations values ('store', 99)`);
    await using store = postgresStore({ url: database.url, schema });
    const error = await errorOf(() => store.bounds("job", signal));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain("a newer version of Tidemark");
  });

  it("are not made by looking", async () => {
    const schema = newName("untouched");
    await using store = postgresStore({ url: database.url, schema });
    expect(await store.bounds("job", signal)).toBeUndefined();
    expect(await store.heartbeat("job", signal)).toBeUndefined();
    expect(await store.examine(signal)).toEqual([]);
    expect(await database.query(`select to_regnamespace('${schema}') as there`)).toEqual([{ there: null }]);
  });
});
