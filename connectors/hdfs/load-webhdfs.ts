// Loads the driver when the first call needs it: only jobs that use HDFS have it installed. Of the driver only the
// request layer is used, its operations are not: most of them report success without having looked.
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ConfigError } from "../../runtime/index.ts";

/** What the driver gives back for a request under way. */
export interface PendingRequest {
  /** Ends it; its callback is not called any more. */
  abort(): void;
  on(event: "socket", listener: (socket: Socket) => void): this;
  on(event: "data", listener: (chunk: Buffer) => void): this;
}

/** What is used of the driver. */
export interface WebHdfsDriver {
  _getOperationEndpoint(op: string, path: string, parameters: Readonly<Record<string, string>>): string;
  _sendRequest(
    method: string,
    url: string,
    options: Readonly<Record<string, unknown>>,
    callback: (error: Error | null, response?: IncomingMessage, body?: Buffer) => void,
  ): PendingRequest;
  _isError(response: IncomingMessage): boolean;
  _isSuccess(response: IncomingMessage): boolean;
}

interface WebHdfsModule {
  createClient(address: Readonly<Record<string, unknown>>, requests: Readonly<Record<string, unknown>>): WebHdfsDriver;
}

/** The package `webhdfs`. @throws ConfigError it is not installed */
export async function loadWebHdfs(): Promise<WebHdfsModule> {
  try {
    return (await import("webhdfs")).default;
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw cause;
    const hint = "npm install webhdfs";
    throw new ConfigError("HDFS needs the package webhdfs, which is not installed", { hint, cause });
  }
}
