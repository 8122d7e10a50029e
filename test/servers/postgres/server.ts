// Postgres, with passwords (SCRAM) and TLS, over TCP on 127.0.0.1 only, and otherwise as it comes: it syncs what it
// commits, and prepared transactions are off. Its data are made once; whoever asks as root gets it run by another user.

import { existsSync } from "node:fs";
import { chown, copyFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mustRun, type ProgramOptions, type RunAs, runProgram } from "../run-program.ts";
import type { Say } from "../say.ts";
import type { Place, Preparation, ServerKind } from "../server-kind.ts";
import { ensureDataFolder } from "./data-folder.ts";
import { findPostgres, postgresUser } from "./find-postgres.ts";

const role = "tidemark";
/** The name in the client's certificate. */
const certificateRole = "client";

/**
 * What a client needs to connect. All URLs but `adminUrl` are for roles without special rights, but for new databases.
 */
export interface PostgresAddresses {
  readonly url: string;
  /** The same with `sslmode=verify-full` and the authority's certificate. */
  readonly tlsUrl: string;
  /** No password, a client's certificate instead. */
  readonly mutualTlsUrl: string;
  readonly adminUrl: string;
  readonly ca: string;
  /** An authority that did not sign the server's certificate. */
  readonly strangerCa: string;
  /** The folder of psql and the other programs. */
  readonly bin: string;
}

export const postgres: ServerKind<PostgresAddresses> = {
  name: "postgres",
  ports: ["postgres"],
  environment: ({ url }) => ({ DATABASE_URL: url }),
  async prepare(place: Place, say: Say, signal: AbortSignal): Promise<Preparation<PostgresAddresses>> {
    const bin = await findPostgres(say, signal);
    const runAs = await postgresUser();
    const data = await ensureDataFolder(join(place.folder, "data"), runAs);
    const options = { signal, cwd: data, installHint: "apt-get install postgresql", ...(runAs && { runAs }) };
    const cluster = join(data, "cluster");
    if (!existsSync(cluster)) {
      const unfinished = join(data, "unfinished");
      await rm(unfinished, { recursive: true, force: true });
      await initialize(bin, unfinished, place, options);
      await rename(unfinished, cluster);
    }
    await writeAccessRules(cluster, place, runAs);
    const port = `${place.ports["postgres"]}`;
    const isReady = async (asked: AbortSignal) => {
      const args = ["-q", "-h", "127.0.0.1", "-p", port];
      return (await runProgram(join(bin, "pg_isready"), args, { ...options, signal: asked })).exitCode === 0;
    };
    const file = join(bin, "postgres");
    const args = ["-D", cluster, ...settings(port)];
    const stopSignal = "SIGINT"; // its "fast" shutdown: connections are cut, nothing is lost
    return {
      processes: [{ name: "postgres", file, args, cwd: data, stopSignal, isReady, ...(runAs && { runAs }) }],
      addresses: addressesOf(place, bin),
    };
  },
};

function settings(port: string): string[] {
  return [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "ssl=on",
    "ssl_cert_file=server.crt",
    "ssl_key_file=server.key",
    "ssl_ca_file=ca.crt",
  ].flatMap((setting) => ["-c", setting]);
}

async function initialize(bin: string, cluster: string, { password }: Place, options: ProgramOptions): Promise<void> {
  // "trust" holds for nobody: the access rules are replaced before the first start.
  const args = ["-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"];
  await mustRun(join(bin, "initdb"), args, options);
  const input = [
    `ALTER ROLE postgres PASSWORD '${password}'`,
    `CREATE ROLE ${role} LOGIN CREATEDB PASSWORD '${password}'`,
    `CREATE ROLE ${certificateRole} LOGIN IN ROLE ${role}`,
    `CREATE DATABASE ${role} OWNER ${role}`,
  ].join("\n");
  const single = ["--single", "-D", cluster, "postgres"];
  const { exitCode, stderr } = await runProgram(join(bin, "postgres"), single, { ...options, input });
  if (exitCode !== 0 || /\b(ERROR|FATAL):/.test(stderr)) throw new Error(`Postgres cannot be set up:\n${stderr}`);
}

/** Who may connect how, and the certificates, which Postgres wants to own. */
async function writeAccessRules(cluster: string, { certificates }: Place, runAs: RunAs | undefined): Promise<void> {
  const rules = [
    `hostssl all ${certificateRole} 127.0.0.1/32 cert`,
    `host all ${certificateRole} 127.0.0.1/32 reject`,
    "host all all 127.0.0.1/32 scram-sha-256",
  ];
  await writeFile(join(cluster, "pg_hba.conf"), `${rules.join("\n")}\n`);
  const copies = [
    [certificates.ca, "ca.crt"],
    [certificates.serverCert, "server.crt"],
    [certificates.serverKey, "server.key"],
  ] as const;
  for (const [from, name] of copies) {
    const to = join(cluster, name);
    await copyFile(from, to);
    if (runAs) await chown(to, runAs.uid, runAs.gid);
  }
}

function addressesOf({ ports, password, certificates }: Place, bin: string): PostgresAddresses {
  const { ca, strangerCa, clientCert, clientKey } = certificates;
  const place = `127.0.0.1:${ports["postgres"]}`;
  const url = `postgres://${role}:${password}@${place}/${role}`;
  const verified = `sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`;
  const identified = `sslcert=${encodeURIComponent(clientCert)}&sslkey=${encodeURIComponent(clientKey)}`;
  return {
    url,
    tlsUrl: `${url}?${verified}`,
    mutualTlsUrl: `postgres://${certificateRole}@${place}/${role}?${verified}&${identified}`,
    adminUrl: `postgres://postgres:${password}@${place}/postgres`,
    ca,
    strangerCa,
    bin,
  };
}
