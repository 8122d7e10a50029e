// One connection to one server of HBase, for one of its services: calls go out as they come and are answered in any
// order, each told by its id. A frame is no larger than a bound before it is kept, let alone parsed. Past a call's
// deadline, or at an answer that cannot be read, the connection is over for all calls on it: whoever needs another
// opens it.
import { connect, type Socket } from "node:net";
import { decodeDelimited, encode, encodeDelimited, type MessageName } from "./messages.ts";
import { LostReplyError, NotSentError, ServerException } from "./rpc-errors.ts";

/** "HBas", version 0, authentication 80: none but a name. */
const PREAMBLE = Buffer.from([...Buffer.from("HBas"), 0, 80]);
/** More than ten cells of the largest size that HBase takes by default. */
export const MAX_FRAME_BYTES = 128 * 1024 * 1024;
const MAX_CALL_ID = 0x7fff_ffff;
/** The call id of an answer to the connection itself, −1 as an unsigned number. */
const NO_CALL = 0xffff_ffff;

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface Login {
  readonly service: "ClientService" | "MasterService";
  /** Who one says to be. */
  readonly user: string;
}

export interface Call {
  readonly method: string;
  readonly request: MessageName;
  readonly value: object;
  readonly response: MessageName;
}

export interface CallLimits {
  /** > 0 */
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly response: MessageName;
  readonly done: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
}

interface ResponseHeader {
  readonly callId?: number;
  readonly exception?: { exceptionClassName?: string; stackTrace?: string; doNotRetry?: boolean };
}

/** A connection; over for good when it has ended. */
export class RpcConnection {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #lastCallId = 0;
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #ended: unknown;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.end(error));
    socket.on("close", () => this.end(new Error("the server closed the connection")));
  }

  /** @throws NotSentError nobody answers there within the time */
  static open(
    { host, port }: ServerAddress,
    { service, user }: Login,
    { withinMs, signal }: CallLimits,
  ): Promise<RpcConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true, keepAlive: true });
      const end = (error: unknown) => {
        settle();
        socket.destroy();
        reject(error);
      };
      const fail = (error: Error) => end(new NotSentError(`${host}:${port}: ${error.message}`, { cause: error }));
      const stop = () => end(signal.reason);
      const timer = setTimeout(() => fail(new Error(`no connection within ${withinMs} ms`)), withinMs);
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        socket.off("error", fail);
      };
      socket.on("error", fail);
      signal.addEventListener("abort", stop, { once: true });
      socket.once("connect", () => {
        settle();
        // An idle connection does not keep the process alive; the deadline of a call under way does.
        socket.unref();
        const header = encode("ConnectionHeader", { userInfo: { effectiveUser: user }, serviceName: service });
        socket.write(Buffer.concat([PREAMBLE, lengthOf(header), header]));
        resolve(new RpcConnection(socket));
      });
    });
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /**
   * Calls a method and waits for its result.
   * @throws NotSentError | LostReplyError | ServerException, or the signal's reason
   */
  call<T>({ method, request, value, response }: Call, { withinMs, signal }: CallLimits): Promise<T> {
    signal.throwIfAborted();
    if (this.#ended !== undefined) {
      return Promise.reject(new NotSentError(`the connection is over: ${textOf(this.#ended)}`));
    }
    this.#lastCallId = this.#lastCallId === MAX_CALL_ID ? 1 : this.#lastCallId + 1;
    const callId = this.#lastCallId;
    const header = encodeDelimited("RequestHeader", {
      callId,
      methodName: method,
      requestParam: true,
      timeout: Math.ceil(withinMs),
    });
    const body = encodeDelimited(request, value);
    return new Promise((resolve, reject) => {
      const settle = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        this.#waiting.delete(callId);
      };
      const stop = () => {
        settle();
        reject(signal.reason);
      };
      // A server that is frozen would keep all later calls waiting, too.
      const timer = setTimeout(() => this.end(new Error(`no reply within ${withinMs} ms`)), withinMs);
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.set(callId, {
        response,
        done: (result) => {
          settle();
          resolve(result as T);
        },
        failed: (error) => {
          settle();
          reject(error);
        },
      });
      this.#socket.cork();
      this.#socket.write(lengthOf(header, body));
      this.#socket.write(header);
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  /** Ends it at once; the replies of calls under way are lost. Idempotent. */
  end(reason: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#socket.destroy();
    this.#chunks = [];
    const said = reason instanceof ServerException ? reason : undefined;
    for (const { failed } of [...this.#waiting.values()]) {
      failed(said ?? new LostReplyError(`the reply was lost: ${textOf(reason)}`, { cause: reason }));
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#ended !== undefined) return;
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    try {
      for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) this.#answer(frame);
    } catch (error) {
      this.end(new Error(`an answer cannot be read: ${textOf(error)}`, { cause: error }));
    }
  }

  /** The next whole frame without its length, or undefined: more is to come. */
  #nextFrame(): Buffer | undefined {
    if (this.#chunkBytes < 4) return undefined;
    let [first = Buffer.alloc(0)] = this.#chunks;
    if (first.length < 4) first = this.#joined();
    const bytes = first.readUInt32BE(0);
    if (bytes > MAX_FRAME_BYTES) throw new Error(`it has ${bytes} bytes, more than ${MAX_FRAME_BYTES}`);
    if (this.#chunkBytes < 4 + bytes) return undefined;
    const all = first.length >= 4 + bytes ? first : this.#joined();
    const rest = all.subarray(4 + bytes);
    this.#chunks[0] = rest;
    if (rest.length === 0) this.#chunks.shift();
    this.#chunkBytes -= 4 + bytes;
    return all.subarray(4, 4 + bytes);
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#chunks, this.#chunkBytes);
    this.#chunks = [all];
    return all;
  }

  #answer(frame: Buffer): void {
    const { value: header, end } = decodeDelimited<ResponseHeader>("ResponseHeader", frame, 0);
    const { callId = 0, exception } = header;
    const waiting = this.#waiting.get(callId);
    if (exception !== undefined) {
      const { exceptionClassName: className = "", stackTrace = "", doNotRetry = false } = exception;
      const error = new ServerException({ className, stackTrace, doNotRetry });
      if (callId === NO_CALL) this.end(error);
      else waiting?.failed(error);
      return;
    }
    // One that was given up.
    if (waiting === undefined) return;
    waiting.done(decodeDelimited(waiting.response, frame, end).value);
  }
}

function lengthOf(...parts: readonly Uint8Array[]): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(parts.reduce((sum, part) => sum + part.byteLength, 0));
  return length;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
