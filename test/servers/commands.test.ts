// `npm run servers` as a person meets it: real processes, a real Postgres, and a folder of its own, which is closed to
// other users, as home folders are.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeServer, statusOf } from "./control.ts";
import { postgres } from "./postgres/server.ts";
import { identify, isAlive } from "./processes.ts";
import { mustRun } from "./run-program.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const { signal } = new AbortController();
let root: string;
let folder: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "servers-"));
  folder = join(root, "try", "postgres");
});

afterAll(async () => {
  await removeServer({ kind: postgres, root, folder, say: () => undefined }, signal);
  await rm(root, { recursive: true });
});

function servers(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, TIDEMARK_SERVERS: root, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

async function answerOf(...args: string[]) {
  const { exitCode, stdout, stderr } = await servers(args);
  if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}

describe("npm run servers", () => {
  test("three terminals that start a server at once get one server and its address", async () => {
    const starts = await Promise.all([1, 2, 3].map(() => answerOf("start", "postgres")));
    const [first] = starts;
    expect(starts).toEqual([first, first, first]);
    const status = (await answerOf("status")).postgres;
    expect(status).toMatchObject({ status: "running", ...first.postgres });
    const { url, bin } = first.postgres;
    const query = ["-X", "-A", "-t", url, "-c", "select 6 * 7"];
    expect(await mustRun(join(bin, "psql"), query, { signal, installHint: "" })).toBe("42\n");
  });

  test("a server keeps its address and its data when it is stopped and started again", async () => {
    const before = await answerOf("start", "postgres");
    const { url, bin } = before.postgres;
    const psql = (sql: string) =>
      mustRun(join(bin, "psql"), ["-X", "-A", "-t", "-q", url, "-c", sql], { signal, installHint: "" });
    await psql("create table kept as select 5 as n");
    const server = identify((await answerOf("status")).postgres.processes.postgres);
    expect(server && isAlive(server)).toBe(true);
    expect(await answerOf("stop", "postgres")).toEqual({ postgres: { status: "stopped" } });
    expect(server && isAlive(server)).toBe(false);
    expect((await answerOf("status")).postgres).toEqual({ status: "stopped" });
    expect(await answerOf("start", "postgres")).toEqual(before);
    expect(await psql("select n from kept")).toBe("5\n");
  });

  test("a pid that is another process's by now is not taken for the server, and is left alone", async () => {
    await answerOf("start", "postgres");
    await answerOf("stop", "postgres");
    const file = join(folder, "state.json");
    const state = JSON.parse(await readFile(file, "utf8"));
    const stale = { pid: process.pid, startedAt: "1", name: "postgres", stopSignal: "SIGINT" };
    await writeFile(file, JSON.stringify({ ...state, processes: [stale] }));
    expect(statusOf(folder).status).toBe("died");
    const { url, bin } = (await answerOf("start", "postgres")).postgres;
    const query = ["-X", "-A", "-t", url, "-c", "select 1"];
    expect(await mustRun(join(bin, "psql"), query, { signal, installHint: "" })).toBe("1\n");
  });

  test("a shell's eval of env knows where the servers are that run, and nothing of the others", async () => {
    const { url } = (await answerOf("start", "postgres")).postgres;
    const { stdout } = await servers(["env"]);
    const knows = await mustRun("sh", ["-c", 'eval "$1"; echo "$DATABASE_URL"', "sh", stdout], {
      signal,
      installHint: "",
    });
    expect(knows).toBe(`${url}\n`);
    expect(stdout.trim().split("\n")).toHaveLength(1);
  });

  test("what holds a password can be read by its owner only", async () => {
    await answerOf("start", "postgres");
    expect((await stat(join(folder, "state.json"))).mode & 0o077).toBe(0);
  });

  test("a port that a running server does not have is refused", async () => {
    await answerOf("start", "postgres");
    const { exitCode, stdout, stderr } = await servers(["start", "postgres", "--port", "postgres=14999"]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("npm run servers -- stop postgres");
  });

  test("a port can be chosen, and one that is taken is named", async () => {
    const { port } = new URL((await answerOf("start", "postgres")).postgres.url);
    await answerOf("stop");
    const other = Number(port) + 1;
    const { url } = (await answerOf("start", "postgres", "--port", `postgres=${other}`)).postgres;
    expect(new URL(url).port).toBe(`${other}`);
    const kafka = await servers(["start", "kafka", "--port", `kafka.tls=${other}`]);
    expect(kafka.exitCode).toBe(2);
    expect(kafka.stderr).toContain(`port ${other}`);
  });

  test("unknown servers and ports are named with those that there are, and exit with 2", async () => {
    const unknown = await servers(["start", "kafkka"]);
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain("kafka, postgres");
    const port = await servers(["start", "kafka", "--port", "kafka.ssl=9093"]);
    expect(port.exitCode).toBe(2);
    expect(port.stderr).toContain("tls");
    expect((await servers(["start"])).exitCode).toBe(2);
  });

  test("a missing Java is named with the command that installs it, and exits with 2", async () => {
    const openssl = await mustRun("sh", ["-c", "command -v openssl"], { signal, installHint: "" });
    const bin = await mkdtemp(join(root, "bin-"));
    await writeFile(join(bin, "openssl"), `#!/bin/sh\nexec ${openssl.trim()} "$@"\n`, { mode: 0o755 });
    const { exitCode, stdout, stderr } = await servers(["start", "kafka"], { PATH: bin });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain("java is not installed");
    expect(stderr).toContain("apt-get install default-jre-headless maven");
  });
});
