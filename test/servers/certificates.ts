// A certificate authority for tests with what it signs (a server's and a client's certificate), and a second
// authority that nobody trusts, with a client of its own. Made once by openssl, good for ten years, for 127.0.0.1
// only. The keys are worth nothing, and readable by their owner only all the same.
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { lockFolder } from "./folder-lock.ts";
import { mustRun } from "./run-program.ts";
import type { Say } from "./say.ts";

/** Paths of PEM files. Keys are PKCS #8, without a password. */
export interface Certificates {
  readonly ca: string;
  readonly serverCert: string;
  readonly serverKey: string;
  readonly clientCert: string;
  readonly clientKey: string;
  /** Key and certificate in one file, as Kafka wants them. */
  readonly serverPem: string;
  readonly clientPem: string;
  /** An authority that no server trusts, and that has signed no server. */
  readonly strangerCa: string;
  /** A client's certificate by that authority. */
  readonly strangerCert: string;
  readonly strangerKey: string;
  readonly strangerPem: string;
}

const days = "3650";
const authorityExtensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
const serverExtensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
const clientExtensions = "extendedKeyUsage=clientAuth\n";

function certificatesIn(folder: string): Certificates {
  return {
    ca: join(folder, "ca.crt"),
    serverCert: join(folder, "server.crt"),
    serverKey: join(folder, "server.key"),
    clientCert: join(folder, "client.crt"),
    clientKey: join(folder, "client.key"),
    serverPem: join(folder, "server.pem"),
    clientPem: join(folder, "client.pem"),
    strangerCa: join(folder, "stranger-ca.crt"),
    strangerCert: join(folder, "stranger.crt"),
    strangerKey: join(folder, "stranger.key"),
    strangerPem: join(folder, "stranger.pem"),
  };
}

/**
 * The certificates in their folder below `root`, made if they are not there.
 * @throws ConfigError openssl is not installed
 */
export async function ensureCertificates(root: string, say: Say, signal: AbortSignal): Promise<Certificates> {
  // The number counts what is in it: another number makes all of them anew.
  const folder = join(root, "certificates-1");
  await using _lock = await lockFolder(folder, say, signal);
  if (!existsSync(folder)) {
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await makeAll(unfinished, signal);
    await rename(unfinished, folder);
  }
  return certificatesIn(folder);
}

async function makeAll(folder: string, signal: AbortSignal): Promise<void> {
  const openssl = (...args: string[]) =>
    mustRun("openssl", args, { cwd: folder, signal, installHint: "apt-get install openssl" });
  const request = async (name: string, subject: string, extensions: string) => {
    await writeFile(join(folder, `${name}.ext`), extensions);
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`];
    await openssl("req", "-new", ...key, "-subj", `/CN=${subject}`, "-out", `${name}.csr`);
    await chmod(join(folder, `${name}.key`), 0o600);
  };
  const sign = (name: string, by: string[]) =>
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-extfile",
      `${name}.ext`,
      "-days",
      days,
      "-out",
      `${name}.crt`,
      ...by,
    );
  const authority = async (name: string, subject: string) => {
    await request(name, subject, authorityExtensions);
    await sign(name, ["-signkey", `${name}.key`]);
  };
  const issue = async (name: string, subject: string, extensions: string, ca: string) => {
    await request(name, subject, extensions);
    await sign(name, ["-CA", `${ca}.crt`, "-CAkey", `${ca}.key`, "-CAcreateserial"]);
    const [key, certificate] = await Promise.all(
      [`${name}.key`, `${name}.crt`].map((file) => readFile(join(folder, file))),
    );
    await writeFile(join(folder, `${name}.pem`), `${key}${certificate}`, { mode: 0o600 });
  };
  await authority("ca", "Tidemark test authority");
  await issue("server", "localhost", serverExtensions, "ca");
  await issue("client", "client", clientExtensions, "ca");
  await authority("stranger-ca", "Authority that nobody trusts");
  await issue("stranger", "stranger", clientExtensions, "stranger-ca");
}
