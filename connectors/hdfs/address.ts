// Where a folder of HDFS is, out of its URL: name nodes, folder, user, TLS. A URL that cannot be right is refused
// before anything connects. A parameter that is not known is refused, too: mistyped, it would be a connection less
// safe, or another user's, than was meant.
import { userInfo } from "node:os";
import { ConfigError } from "../../runtime/index.ts";

const DEFAULT_PORTS = { webhdfs: 9870, swebhdfs: 9871 } as const;
const PARAMETERS = ["user.name", "ca"];
const HINT = "webhdfs://namenode:9870/dir, or swebhdfs://namenode:9871/dir for TLS";

/** One name node's HTTP. */
export interface NameNode {
  /** An IPv6 address has no brackets here. */
  readonly host: string;
  readonly port: number;
}

/** Where and as whom to connect. */
export interface HdfsAddress {
  readonly isTls: boolean;
  /** At least one. */
  readonly nameNodes: readonly NameNode[];
  /** Absolute, without a slash at its end. */
  readonly folder: string;
  readonly user: string;
  /** The file with the authority's certificate; undefined: the machine's own authorities. */
  readonly ca: string | undefined;
  /** For messages: the name nodes. */
  readonly label: string;
  /** The whole URL again, as this is written. */
  readonly url: string;
}

/**
 * Reads `webhdfs://namenode:9870/dir`, or `swebhdfs://` for TLS; several name nodes (high availability) are separated
 * by commas. Parameters: `user.name`, and `ca`, a PEM file. Without a user it is HADOOP_USER_NAME, or whoever runs
 * this.
 * @throws ConfigError
 */
export function parseHdfsUrl(url: string, user?: string): HdfsAddress {
  const [, scheme, authority, path, query] = /^(s?webhdfs):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?$/.exec(url) ?? [];
  if (scheme === undefined || authority === undefined) {
    throw new ConfigError("the URL of a folder of HDFS begins with webhdfs:// or swebhdfs://", { hint: HINT });
  }
  const isTls = scheme === "swebhdfs";
  const defaultPort = DEFAULT_PORTS[isTls ? "swebhdfs" : "webhdfs"];
  const nameNodes = authority.split(",").map((each) => nameNodeOf(each, defaultPort));
  const parameters = new URLSearchParams(query ?? "");
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError(`a ${scheme} URL has no parameter ${JSON.stringify(unknown.slice(0, 40))}`, {
      hint: `it may have ${PARAMETERS.join(" and ")}`,
    });
  }
  const folder = folderOf(path ?? "");
  const ca = parameters.get("ca") || undefined;
  if (ca !== undefined && !isTls) throw new ConfigError("ca is for TLS", { hint: "write swebhdfs://" });
  const label = nameNodes.map(({ host, port }) => `${host.includes(":") ? `[${host}]` : host}:${port}`).join(",");
  return {
    isTls,
    nameNodes,
    folder,
    user: user || parameters.get("user.name") || process.env["HADOOP_USER_NAME"] || userInfo().username,
    ca,
    label,
    url: `${scheme}://${label}${folder.split("/").map(encodeURIComponent).join("/")}${queryOf(parameters, user)}`,
  };
}

function queryOf(parameters: URLSearchParams, user: string | undefined): string {
  if (user !== undefined) parameters.set("user.name", user);
  parameters.sort();
  return parameters.size === 0 ? "" : `?${parameters}`;
}

function nameNodeOf(text: string, defaultPort: number): NameNode {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:@[\]\s]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (host !== undefined && port > 0 && port < 65_536) return { host: host.toLowerCase(), port };
  // What cannot be read is not shown: it may hold a password that somebody took for one of WebHDFS.
  const hint = text.includes("@") ? "WebHDFS knows no passwords: webhdfs://namenode:9870/dir?user.name=NAME" : HINT;
  throw new ConfigError("the URL has no name node that can be read: host, or host:port", { hint });
}

function folderOf(path: string): string {
  let names: readonly string[];
  try {
    names = decodeURIComponent(path)
      .split("/")
      .filter((name) => name !== "");
  } catch {
    throw new ConfigError("the URL of the folder of HDFS has a % that is no escape", { hint: "write %25 for a %" });
  }
  const wrong = names.find((name) => name === "." || name === ".." || /[:\p{Cc}]/u.test(name));
  if (names.length > 0 && wrong === undefined) return `/${names.join("/")}`;
  const reason = wrong === undefined ? "has no folder" : `has a folder that HDFS cannot have, ${JSON.stringify(wrong)}`;
  throw new ConfigError(`the URL of the folder of HDFS ${reason}`, { hint: HINT });
}
