// The operations on files and folders that the sink and the checkpoint store are made of, over WebHDFS. Each says what
// it found: an outcome that is to be expected is a value, all else is an error. A file that was written is only taken
// for written when its length says so. It must never write over anything, but in `replace`.
import { CheckpointCorruptError, ConfigError, OutcomeUnknownError, TransientError } from "../../runtime/index.ts";
import type { HdfsAddress } from "./address.ts";
import { errorOfRefusal, isPassing, refusalOf } from "./failures.ts";
import type { HttpAnswer } from "./http-exchange.ts";
import { type Call, NameNodes } from "./name-nodes.ts";

/** What a listing says of a file or folder. */
export interface FileStatus {
  /** Without the folder. */
  readonly name: string;
  readonly isFolder: boolean;
  /** In bytes. */
  readonly length: number;
  /** By the name node's clock. Of a folder: when something in it was last made, moved or removed. */
  readonly modifiedAtMs: number;
  /** Octal: "644". */
  readonly mode: string;
}

/** `taken`: something of that name is there; `missing`: the source, or the target's folder, is not. */
export type Moved = "moved" | "taken" | "missing";

export type Joined =
  | { readonly is: "joined" }
  | { readonly is: "missing" }
  | { readonly is: "refused"; readonly why: string };

/** How to make a file. */
export interface CreateOptions {
  /** Octal; default "644". */
  readonly mode?: string;
  readonly signal: AbortSignal;
}

/** How to read a file. */
export interface ReadOptions {
  /** A longer file is an error. */
  readonly maxBytes: number;
  /** How long it is, if a listing has just said so of a file that is never changed. */
  readonly length?: number;
  readonly signal: AbortSignal;
}

/** What is looked at of WebHDFS's answers. */
interface WebHdfsJson {
  readonly boolean?: unknown;
  readonly FileStatus?: unknown;
  readonly FileStatuses?: { readonly FileStatus?: unknown };
}

/** A file of this size is made in one go; the rest of a longer one is appended in such parts. */
const PART_BYTES = 8 * 1024 * 1024;

/** One HDFS, as one user. Paths are absolute. Opening it does no I/O. */
export class HdfsFileSystem implements AsyncDisposable {
  readonly address: HdfsAddress;
  readonly #nameNodes: NameNodes;

  /** `timeoutMs`: of each call, > 0. */
  constructor(address: HdfsAddress, timeoutMs: number) {
    this.address = address;
    this.#nameNodes = new NameNodes(address, timeoutMs);
  }

  /** What is there; undefined: nothing. */
  async status(path: string, signal: AbortSignal): Promise<FileStatus | undefined> {
    const call: Call = { method: "GET", op: "GETFILESTATUS", path, doing: `look at ${path}`, isWrite: false, signal };
    const answer = await this.#nameNodes.ask(call);
    if (isMissing(answer)) return undefined;
    return statusOf(this.#jsonOf(answer, call).FileStatus, path);
  }

  /** What is in a folder, in no order; undefined: there is no such folder. One moment's state below 1,000 names. */
  async list(path: string, signal: AbortSignal): Promise<readonly FileStatus[] | undefined> {
    const call: Call = { method: "GET", op: "LISTSTATUS", path, doing: `list ${path}`, isWrite: false, signal };
    const answer = await this.#nameNodes.ask(call);
    if (isMissing(answer)) return undefined;
    const found = this.#jsonOf(answer, call).FileStatuses?.FileStatus;
    if (!Array.isArray(found)) throw this.#senseless(call);
    return found.map((each) => statusOf(each, path));
  }

  /**
   * All bytes of a file; undefined: there is no such file.
   * @throws CheckpointCorruptError it has more than `maxBytes`
   */
  async read(path: string, { maxBytes, length, signal }: ReadOptions): Promise<Buffer | undefined> {
    const expected = length ?? (await this.#lengthOf(path, signal));
    if (expected === undefined) return undefined;
    if (expected > maxBytes) {
      throw new CheckpointCorruptError(`${path} has ${expected} bytes, more than the ${maxBytes} it can have`);
    }
    if (expected === 0) return Buffer.alloc(0);
    const call: Call = { method: "GET", op: "OPEN", path, doing: `read ${path}`, isWrite: false, signal };
    const answer = await this.#nameNodes.askDataNode(call, { maxBytes });
    if (isMissing(answer)) return undefined;
    this.#expect(answer, call);
    if (answer.body.byteLength >= expected) return answer.body;
    throw new TransientError(`cannot read ${path} (HDFS at ${this.address.label}): the answer broke off`);
  }

  /**
   * Makes a new file with these bytes, and the folders above it where there are none. A file that could not be written
   * whole is left to the caller to remove.
   * @throws TransientError nothing that counts was written: there is a file of that name, or part of this one
   */
  async create(path: string, bytes: Uint8Array, { mode = "644", signal }: CreateOptions): Promise<void> {
    const parameters = { overwrite: "false", permission: mode };
    const doing = `write ${path}`;
    const call: Call = { method: "PUT", op: "CREATE", path, parameters, doing, isWrite: false, signal };
    this.#expect(await this.#nameNodes.askDataNode(call, { body: bytes.subarray(0, PART_BYTES) }), call);
    await this.#expectLength(path, Math.min(bytes.byteLength, PART_BYTES), signal);
    if (bytes.byteLength > PART_BYTES) await this.append(path, bytes.subarray(PART_BYTES), PART_BYTES, signal);
  }

  /**
   * Adds bytes to the end of a file that nobody else writes and that has `length` bytes. Not idempotent.
   * @throws TransientError the file cannot be told from one that is damaged: it must be thrown away
   */
  async append(path: string, bytes: Uint8Array, length: number, signal: AbortSignal): Promise<void> {
    const call: Call = { method: "POST", op: "APPEND", path, doing: `write ${path}`, isWrite: false, signal };
    for (let start = 0; start < bytes.byteLength; start += PART_BYTES) {
      const part = bytes.subarray(start, start + PART_BYTES);
      this.#expect(await this.#nameNodes.askDataNode(call, { body: part }), call);
      await this.#expectLength(path, length + start + part.byteLength, signal);
    }
  }

  /** Makes a folder and those above it; idempotent. `mode`: octal, "755". */
  async makeFolder(path: string, mode: string, signal: AbortSignal): Promise<void> {
    const parameters = { permission: mode };
    const doing = `make the folder ${path}`;
    const call: Call = { method: "PUT", op: "MKDIRS", path, parameters, doing, isWrite: true, signal };
    if (this.#jsonOf(await this.#nameNodes.ask(call), call).boolean !== true) throw this.#senseless(call);
  }

  /**
   * Gives a file or folder another name in one step; never writes over anything, and makes no folder.
   * @throws OutcomeUnknownError the reply was lost: it may have happened, or happen later
   */
  async move(from: string, to: string, signal: AbortSignal): Promise<Moved> {
    return await this.#rename(from, to, "NONE", signal);
  }

  /** The same, in the place of a file that is there. */
  async replace(from: string, to: string, signal: AbortSignal): Promise<Moved> {
    return await this.#rename(from, to, "OVERWRITE", signal);
  }

  /**
   * Removes a file, or a folder with all in it; false: it was not there.
   * @throws OutcomeUnknownError the reply was lost
   */
  async remove(path: string, signal: AbortSignal): Promise<boolean> {
    const parameters = { recursive: "true" };
    const doing = `remove ${path}`;
    const call: Call = { method: "DELETE", op: "DELETE", path, parameters, doing, isWrite: true, signal };
    return this.#jsonOf(await this.#nameNodes.ask(call), call).boolean === true;
  }

  /**
   * Puts files at the end of another in the same folder, in this order and in one step; they are gone then. Not
   * idempotent. `missing`: one of them is not there; `refused`: HDFS cannot join these. Then nothing has changed.
   * @throws OutcomeUnknownError the reply was lost
   */
  async join(target: string, sources: readonly string[], signal: AbortSignal): Promise<Joined> {
    const parameters = { sources: sources.join(",") };
    const doing = `join files to ${target}`;
    const call: Call = { method: "POST", op: "CONCAT", path: target, parameters, doing, isWrite: true, signal };
    const answer = await this.#nameNodes.ask(call);
    if (answer.status === 200) return { is: "joined" };
    if (isMissing(answer)) return { is: "missing" };
    const refusal = refusalOf(answer);
    if (refusal.exception === "" || isPassing(refusal)) throw errorOfRefusal(refusal, { address: this.address, doing });
    return { is: "refused", why: refusal.message };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nameNodes[Symbol.asyncDispose]();
  }

  /** With options it is another operation than without: it does not move into folders, and gives reasons. */
  async #rename(from: string, to: string, renameoptions: "NONE" | "OVERWRITE", signal: AbortSignal): Promise<Moved> {
    const parameters = { destination: to, renameoptions };
    const doing = `rename ${from} to ${to}`;
    const call: Call = { method: "PUT", op: "RENAME", path: from, parameters, doing, isWrite: true, signal };
    const answer = await this.#nameNodes.ask(call);
    if (isMissing(answer)) return "missing";
    if (exceptionOf(answer) === "FileAlreadyExistsException") return "taken";
    this.#expect(answer, call);
    if (answer.body.byteLength === 0) return "moved";
    // The answer of the operation without options, which may have moved it into a folder, and nobody was refused.
    throw new ConfigError(
      `the server at ${this.address.label} renames without options, so that nobody is ever refused`,
      {
        hint: "a gateway such as HttpFS does that: give the URL of the name nodes themselves",
      },
    );
  }

  async #lengthOf(path: string, signal: AbortSignal): Promise<number | undefined> {
    const found = await this.status(path, signal);
    return found === undefined || found.isFolder ? undefined : found.length;
  }

  async #expectLength(path: string, length: number, signal: AbortSignal): Promise<void> {
    const found = await this.status(path, signal);
    if (found?.length === length) return;
    const there = found === undefined ? "the file is not there" : `it has ${found.length} bytes instead of ${length}`;
    throw new TransientError(`cannot write ${path} (HDFS at ${this.address.label}): ${there}`);
  }

  #expect(answer: HttpAnswer, { doing, isWrite }: Call): void {
    if (answer.status === 200 || answer.status === 201) return;
    const error = errorOfRefusal(refusalOf(answer), { address: this.address, doing });
    // What is not a write here is read, or written to where it does not count.
    if (isWrite || !(error instanceof OutcomeUnknownError)) throw error;
    throw new TransientError(error.message, { cause: error });
  }

  #jsonOf(answer: HttpAnswer, call: Call): WebHdfsJson {
    this.#expect(answer, call);
    try {
      const json: unknown = JSON.parse(answer.body.toString("utf8"));
      if (typeof json === "object" && json !== null) return json;
      throw this.#senseless(call);
    } catch {
      throw this.#senseless(call);
    }
  }

  #senseless({ doing }: Call): TransientError {
    return new TransientError(`cannot ${doing} (HDFS at ${this.address.label}): the answer is none of WebHDFS`);
  }
}

function exceptionOf(answer: HttpAnswer): string | undefined {
  return answer.status < 400 ? undefined : refusalOf(answer).exception;
}

function isMissing(answer: HttpAnswer): boolean {
  return ["FileNotFoundException", "ParentNotDirectoryException"].includes(exceptionOf(answer) ?? "");
}

function statusOf(json: unknown, path: string): FileStatus {
  const found = (json ?? {}) as Record<string, unknown>;
  const { pathSuffix: name, type, length, modificationTime: modifiedAtMs, permission: mode } = found;
  const isSound = typeof name === "string" && typeof length === "number" && typeof mode === "string";
  if (isSound && typeof modifiedAtMs === "number") {
    return { name, isFolder: type === "DIRECTORY", length, modifiedAtMs, mode };
  }
  throw new TransientError(`the status of ${path} is none of WebHDFS`);
}
