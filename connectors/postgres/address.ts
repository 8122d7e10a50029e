// Where a database is, out of its URL and the environment: host, port, database, user, TLS. A URL that cannot be right
// is refused before anything connects; what TLS means is decided here too, never by the driver's own reading of
// `sslmode`. No message may show a password, nor a URL that may hold one.
import { readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { ConfigError, messageOf } from "../../runtime/index.ts";

const DEFAULT_PORT = 5432;
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
/** Parameters with which a mistyped name would be a connection less safe than was meant. */
const TLS_PARAMETERS = new Set(["sslmode", "sslrootcert", "sslcert", "sslkey", "sslnegotiation"]);
const TLS_MODES = ["disable", "no-verify", "require", "verify-ca", "verify-full"] as const;

type TlsMode = (typeof TLS_MODES)[number];

/** Where and as whom to connect. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string | undefined;
  readonly tlsMode: TlsMode;
  readonly tlsFiles: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly directTls: boolean;
  readonly channelBinding: boolean;
  readonly connectTimeoutMs: number;
  /** Startup options, such as `-c search_path=app`. */
  readonly options: string | undefined;
  /** For messages: `host:port/database`. */
  readonly label: string;
  /** Without the password. */
  readonly url: string;
  /** What a sink and a store must have alike to write in one transaction: server, database, user. */
  readonly place: string;
}

/**
 * Reads `postgres://user:password@host:port/database?sslmode=…`. What it leaves out comes from PGHOST, PGPORT,
 * PGDATABASE, PGUSER and PGSSLMODE; `host`, `port`, `user` and `connect_timeout` (seconds) may be parameters, too.
 * @throws ConfigError
 */
export function parseAddress(url: string): Address {
  const parsed = parseUrl(url);
  const parameters = parsed.searchParams;
  checkTlsNames(parameters);
  const { env } = process;
  const user = parameters.get("user") ?? (decode(parsed.username) || env["PGUSER"] || userInfo().username);
  const host = (parameters.get("host") ?? (decode(parsed.hostname) || env["PGHOST"] || "localhost")).toLowerCase();
  const port = portOf(parameters.get("port") ?? (parsed.port || env["PGPORT"] || `${DEFAULT_PORT}`));
  const database = decode(parsed.pathname.slice(1)) || env["PGDATABASE"] || user;
  const [ca, cert, key] = ["sslrootcert", "sslcert", "sslkey"].map((name) => parameters.get(name) ?? undefined);
  const seconds = Number(parameters.get("connect_timeout") ?? Number.NaN);
  const label = `${host.startsWith("/") ? "socket" : host}:${port}/${database}`;
  const place = `postgres ${user}@${host.replace(/^\[|\]$/g, "")}:${port}/${database}`;
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port,
    database,
    user,
    password: parameters.get("password") ?? (decode(parsed.password) || env["PGPASSWORD"]),
    tlsMode: tlsModeOf(parameters),
    tlsFiles: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) },
    directTls: parameters.get("sslnegotiation") === "direct",
    channelBinding: parameters.get("channel_binding") === "require",
    connectTimeoutMs: seconds > 0 ? seconds * 1_000 : DEFAULT_CONNECT_TIMEOUT_MS,
    options: parameters.get("options") ?? undefined,
    label,
    url: urlWithoutPassword(parsed),
    place,
  };
}

/**
 * What to give node:tls, the files read; false: no TLS. Every mode but "no-verify" checks the server's certificate, and
 * "verify-ca" leaves out its name.
 * @throws ConfigError a file cannot be read
 */
export async function tlsOptions({ tlsMode, tlsFiles }: Address): Promise<ConnectionOptions | false> {
  if (tlsMode === "disable") return false;
  const options: ConnectionOptions = { rejectUnauthorized: tlsMode !== "no-verify", checkServerIdentity };
  if (tlsMode === "verify-ca") options.checkServerIdentity = () => undefined;
  // "system" is libpq's word for the machine's own authorities, which are the default here.
  if (tlsFiles.ca !== undefined && tlsFiles.ca !== "system") options.ca = await fileOf("sslrootcert", tlsFiles.ca);
  if (tlsFiles.cert !== undefined) options.cert = await fileOf("sslcert", tlsFiles.cert);
  if (tlsFiles.key !== undefined) options.key = await fileOf("sslkey", tlsFiles.key);
  return options;
}

function parseUrl(url: string): URL {
  const hint = "postgres://user:password@host:5432/database, with %40 for an @ in the password";
  if (typeof url !== "string" || !/^postgres(ql)?:\/\//i.test(url)) {
    throw new ConfigError("the URL of a Postgres database begins with postgres://", { hint });
  }
  // The parser of the WHATWG takes no URL with a user and no host; libpq does.
  const withHost = url.replace(/^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)(?=[/?#]|$)/i, "$1tidemark.invalid");
  const parsed = URL.canParse(withHost) ? new URL(withHost) : undefined;
  if (parsed === undefined || parsed.hostname.includes(",")) {
    throw new ConfigError("the URL of the Postgres database cannot be read: one host, and % before what is special", {
      hint,
    });
  }
  if (withHost !== url && parsed.hostname === "tidemark.invalid")
    parsed.hostname = process.env["PGHOST"] ?? "localhost";
  return parsed;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("the URL of the Postgres database has a % that is no escape", { hint: "write %25 for a %" });
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new ConfigError(`${JSON.stringify(text.slice(0, 20))} is no port of a Postgres server`);
}

function checkTlsNames(parameters: URLSearchParams): void {
  for (const name of parameters.keys()) {
    if (!name.startsWith("ssl") || TLS_PARAMETERS.has(name)) continue;
    throw new ConfigError(`the URL of the Postgres database has an unknown parameter ${name}`, {
      hint: `for TLS there are ${[...TLS_PARAMETERS].join(", ")}`,
    });
  }
}

function tlsModeOf(parameters: URLSearchParams): TlsMode {
  const isImplied = parameters.has("sslrootcert") || parameters.has("sslcert") || parameters.has("sslnegotiation");
  const mode = parameters.get("sslmode") ?? process.env["PGSSLMODE"] ?? (isImplied ? "verify-full" : "disable");
  const known = TLS_MODES.find((each) => each === mode);
  if (known !== undefined) return known;
  throw new ConfigError(`sslmode=${mode.slice(0, 20)} is not one of ${TLS_MODES.join(", ")}`, {
    // "prefer" and "allow" would go on without TLS when someone in between says that the server has none.
    hint: "sslmode=verify-full checks the server's certificate and name; sslmode=disable does without TLS",
  });
}

function urlWithoutPassword(parsed: URL): string {
  const shown = new URL(parsed);
  shown.password = "";
  shown.searchParams.delete("password");
  return shown.href;
}

async function fileOf(parameter: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`${parameter} of the Postgres URL cannot be read: ${messageOf(cause)}`, { cause });
  }
}
