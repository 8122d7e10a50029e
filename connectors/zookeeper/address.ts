// Where a place in ZooKeeper is, out of its URL: servers, user, path. A URL that cannot be right is refused before
// anything connects. No message may show a password, nor a URL that may hold one.
import { ConfigError } from "../../runtime/index.ts";

const HINT = "zookeeper://user:password@host1:2181,host2:2181/path, with % before what is special in the password";
const URL_PARTS = /^zookeeper:\/\/(?:(?<user>[^/?#]*)@)?(?<servers>[^/?#@]+)(?<path>\/[^?#]*)?(?:\?(?<query>[^#]*))?$/i;

/** A place in an ensemble. */
export interface ZooKeeperAddress {
  /** `host:port,host:port`. */
  readonly servers: string;
  readonly digest: { readonly user: string; readonly password: string } | undefined;
  /** Absolute, without a slash at its end; undefined when the URL has none. */
  readonly path: string | undefined;
  readonly parameters: URLSearchParams;
}

/**
 * Reads `zookeeper://[user:password@]host:port,host:port[/path][?name=value]`.
 * @throws ConfigError
 */
export function parseZooKeeperUrl(url: string): ZooKeeperAddress {
  const { user, servers, path = "", query = "" } = URL_PARTS.exec(url)?.groups ?? {};
  if (servers === undefined) throw new ConfigError("that is no URL of a place in ZooKeeper", { hint: HINT });
  const trimmed = path.replace(/\/+$/, "");
  return {
    servers,
    digest: user === undefined ? undefined : digestOf(user),
    path: trimmed === "" ? undefined : checkZooKeeperPath(decode(trimmed)),
    parameters: new URLSearchParams(query),
  };
}

/**
 * Refuses what is no absolute path of nodes, and paths below /zookeeper, which is the server's own.
 * @returns the path
 * @throws ConfigError
 */
export function checkZooKeeperPath(path: string): string {
  const names = path.split("/").slice(1);
  const areNames = names.every((name) => /^[A-Za-z0-9._-]{1,255}$/.test(name) && name !== "." && name !== "..");
  if (path.startsWith("/") && names.length <= 32 && areNames && names[0] !== "zookeeper") return path;
  throw new ConfigError(`${JSON.stringify(path.slice(0, 80))} is no path in ZooKeeper to use`, {
    hint: "begin with /, and use letters, digits, ., _ and - between slashes; not below /zookeeper",
  });
}

function digestOf(user: string): { user: string; password: string } {
  const colon = user.indexOf(":");
  if (colon < 1) throw new ConfigError("the URL of ZooKeeper has a user and no password", { hint: HINT });
  return { user: decode(user.slice(0, colon)), password: decode(user.slice(colon + 1)) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError("the URL of ZooKeeper has a % that is no escape", { hint: "write %25 for a %" });
  }
}
