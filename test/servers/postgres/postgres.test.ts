// The Postgres that tests and people are given: it is what it says it is, over every way in, and comes back as it was.
import { readFileSync } from "node:fs";
import { Client, type ClientConfig } from "pg";
import { beforeAll, describe, expect, test } from "vitest";
import { ownPostgresServer, postgresServer, serverStartTimeoutMs } from "../for-tests.ts";
import { mustRun } from "../run-program.ts";
import type { PostgresAddresses } from "./server.ts";

const { signal } = new AbortController();
let server: PostgresAddresses;

beforeAll(async () => {
  server = await postgresServer();
}, serverStartTimeoutMs);

async function query(config: string | ClientConfig, sql: string): Promise<unknown[]> {
  const client = new Client(config);
  client.on("error", () => undefined); // a server that goes away is what some of these tests are about
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

function psql(url: string, sql: string): Promise<string> {
  return mustRun(`${server.bin}/psql`, ["-X", "-A", "-t", "-q", url, "-c", sql], { signal, installHint: "" });
}

describe("the run's Postgres", () => {
  test("a password opens it, for a role without special rights", async () => {
    const rights = "select current_user, rolsuper, rolcreatedb from pg_roles where rolname = current_user";
    expect(await query(server.url, rights)).toEqual(["tidemark", false, true]);
    expect(await psql(server.url, "select current_database()")).toBe("tidemark\n");
  });

  test("a wrong password does not", async () => {
    const url = new URL(server.url);
    url.password = "wrong";
    await expect(query(url.href, "select 1")).rejects.toThrow("password authentication failed");
  });

  test("TLS is verified, by pg and by psql", async () => {
    const cipher = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    expect(await query(server.tlsUrl, cipher)).toEqual([true]);
    expect(await psql(server.tlsUrl, cipher)).toBe("t\n");
  });

  test("an authority that did not sign its certificate is not taken for its own", async () => {
    const stranger = { connectionString: server.url, ssl: { ca: readFileSync(server.strangerCa) } };
    await expect(query(stranger, "select 1")).rejects.toThrow(/self-signed|unable to (verify|get)/);
  });

  test("a client's certificate opens it without a password, and nothing else does for that role", async () => {
    expect(await query(server.mutualTlsUrl, "select current_user")).toEqual(["client"]);
    const withPassword = server.url.replace("//tidemark:", "//client:");
    await expect(query(withPassword, "select 1")).rejects.toThrow("pg_hba.conf rejects");
  });

  test("it syncs what it commits, has no prepared transactions, and does not run as root", async () => {
    const settings = "select current_setting('fsync'), current_setting('max_prepared_transactions')";
    expect(await query(server.url, settings)).toEqual(["on", "0"]);
    expect(await query(server.adminUrl, "copy (select 1) to program 'test $(id -u) -ne 0 && cat > /dev/null'")).toEqual(
      [],
    );
  });
});

describe("a Postgres of one's own", () => {
  test("keeps its address and what was committed when it is restarted and when it is killed", async () => {
    await using own = await ownPostgresServer();
    expect(own.url).not.toBe(server.url);
    await query(own.url, "create table kept as select 1 as n");
    await own.restart();
    await query(own.url, "insert into kept values (2)");
    await own.kill();
    await expect(query(own.url, "select 1")).rejects.toThrow("ECONNREFUSED");
    await own.start();
    expect(await query(own.url, "select n from kept order by n")).toEqual([1, 2]);
  });

  test("answers nothing while it is paused, and then what it was asked", async () => {
    await using own = await ownPostgresServer();
    const client = new Client(own.url);
    await client.connect();
    own.pause();
    let isAnswered = false;
    const answer = client.query("select 7 as n").then(({ rows }) => {
      isAnswered = true;
      return rows;
    });
    await expect(query({ connectionString: own.url, connectionTimeoutMillis: 500 }, "select 1")).rejects.toThrow();
    expect(isAnswered).toBe(false);
    own.resume();
    expect(await answer).toEqual([{ n: 7 }]);
    await client.end();
  });
});
