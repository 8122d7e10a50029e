// One HTTP request and its answer, through the driver's request layer. Every answer is given back with its status,
// whatever that is, and only if it came whole; every request has a deadline, a limit to its answer, and says when it
// failed whether it can have reached the server. It must never follow a redirect, use a proxy or let a bad certificate
// pass.
import { readFile } from "node:fs/promises";
import { Agent, type IncomingHttpHeaders } from "node:http";
import { Agent as TlsAgent } from "node:https";
import type { Socket } from "node:net";
import { ConfigError, messageOf } from "../../runtime/index.ts";
import type { HdfsAddress, NameNode } from "./address.ts";
import { loadWebHdfs, type PendingRequest, type WebHdfsDriver } from "./load-webhdfs.ts";

/** More than any listing or error that is looked at. */
const ANSWER_MAX_BYTES = 32 * 1024 * 1024;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** How to ask. */
export interface HttpOptions {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly signal: AbortSignal;
  /** From the first byte of the request to the last of the answer; > 0. */
  readonly withinMs: number;
  readonly body?: Uint8Array;
  /** A longer answer is an error. */
  readonly maxBytes?: number;
}

/** What one name node is asked. */
export interface Operation {
  readonly nameNode: NameNode;
  /** As WebHDFS calls it: "GETFILESTATUS". */
  readonly op: string;
  /** Absolute, not escaped. */
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** No answer, or none that is whole. */
export class NoAnswerError extends Error {
  /** Whether the server can have got the request. */
  readonly mayHaveArrived: boolean;
  readonly code: string | undefined;

  constructor(message: string, mayHaveArrived: boolean, cause?: unknown) {
    super(message, { cause });
    this.mayHaveArrived = mayHaveArrived;
    this.code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  }
}

/** Sends requests; connections are kept open between them. */
export class HttpExchange implements AsyncDisposable {
  readonly #address: HdfsAddress;
  #agent: Agent | undefined;
  #drivers: Promise<ReadonlyMap<NameNode, WebHdfsDriver>> | undefined;

  constructor(address: HdfsAddress) {
    this.#address = address;
  }

  /**
   * Asks a name node.
   * @throws NoAnswerError
   */
  async ask({ nameNode, op, path, parameters }: Operation, options: HttpOptions): Promise<HttpAnswer> {
    const driver = await this.#driverOf(nameNode);
    const escaped = path.split("/").map(encodeURIComponent).join("/");
    return await send(driver, driver._getOperationEndpoint(op, escaped, parameters), options);
  }

  /**
   * Goes where a name node said (a DataNode, mostly).
   * @throws NoAnswerError
   */
  async goTo(location: string, nameNode: NameNode, options: HttpOptions): Promise<HttpAnswer> {
    return await send(await this.#driverOf(nameNode), location, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent?.destroy();
  }

  async #driverOf(nameNode: NameNode): Promise<WebHdfsDriver> {
    this.#drivers ??= this.#makeDrivers();
    const driver = (await this.#drivers).get(nameNode);
    if (driver === undefined) throw new Error("no such name node");
    return driver;
  }

  async #makeDrivers(): Promise<ReadonlyMap<NameNode, WebHdfsDriver>> {
    const { nameNodes, isTls, user, ca } = this.#address;
    const { createClient } = await loadWebHdfs();
    const authority = ca === undefined ? {} : { ca: await authorityOf(ca) };
    this.#agent = isTls ? new TlsAgent({ keepAlive: true, ...authority }) : new Agent({ keepAlive: true });
    const requests = { agent: this.#agent, proxy: false, followRedirect: false, json: false, encoding: null };
    return new Map(
      nameNodes.map((nameNode) => {
        const driver = createClient(
          { user, ...nameNode, path: "/webhdfs/v1", protocol: isTls ? "https" : "http" },
          requests,
        );
        // It takes some statuses for success that are none, and loses what an error says: all are looked at by us.
        driver._isError = () => false;
        driver._isSuccess = () => true;
        return [nameNode, driver];
      }),
    );
  }
}

async function authorityOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`ca of the swebhdfs URL cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function send(driver: WebHdfsDriver, url: string, options: HttpOptions): Promise<HttpAnswer> {
  const { method, body, signal, withinMs, maxBytes = ANSWER_MAX_BYTES } = options;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    let received = 0;
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      act();
    };
    const giveUp = (error: unknown) =>
      settle(() => {
        reject(error);
        pending.abort();
      });
    const stop = () => giveUp(signal.reason);
    const isLate = () => giveUp(new NoAnswerError(`no answer within ${withinMs} ms`, socket?.connecting === false));
    const timer = setTimeout(isLate, withinMs);
    signal.addEventListener("abort", stop, { once: true });
    const headers = { "content-type": "application/octet-stream" };
    const sent =
      body === undefined ? {} : { body: Buffer.from(body.buffer, body.byteOffset, body.byteLength), headers };
    const pending: PendingRequest = driver._sendRequest(method, url, sent, (error, response, answer) =>
      settle(() => {
        if (error) return reject(new NoAnswerError(messageOf(error), !isOfConnecting(error), error));
        // The driver passes off as whole what a broken connection left of an answer.
        if (response?.complete !== true) return reject(new NoAnswerError("the answer broke off", true));
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: answer ?? Buffer.alloc(0) });
      }),
    );
    pending.on("socket", (given) => {
      socket = given;
    });
    pending.on("data", (chunk) => {
      received += chunk.length;
      if (received > maxBytes) giveUp(new NoAnswerError(`the answer is longer than ${maxBytes} bytes`, true));
    });
  });
}

/** Whether there was no connection yet over which anything could have been sent. */
function isOfConnecting(error: Error): boolean {
  if ("syscall" in error && (error.syscall === "connect" || error.syscall === "getaddrinfo")) return true;
  return "code" in error && isTlsFailure(String(error.code));
}

/** Whether a code is of the TLS handshake, in which the server's certificate is checked. */
export function isTlsFailure(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|^ERR_(SSL|OSSL|TLS)|^EPROTO$/.test(code);
}
