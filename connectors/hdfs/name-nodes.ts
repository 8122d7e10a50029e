// Which name node is asked: the one that answered last, and the next one where it is a standby or cannot be reached. A
// write that may have arrived is never sent to another: its outcome is unknown. Bytes of files come from and go to
// where a name node says.
import { ConfigError } from "../../runtime/index.ts";
import type { HdfsAddress, NameNode } from "./address.ts";
import { type Doing, errorOfNoAnswer, errorOfRefusal, isOfStandby, refusalOf } from "./failures.ts";
import { type HttpAnswer, HttpExchange, type HttpOptions, NoAnswerError } from "./http-exchange.ts";

/** One call of a WebHDFS operation. */
export interface Call {
  readonly method: HttpOptions["method"];
  readonly op: string;
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** As in "cannot … ": "rename /a to /b". */
  readonly doing: string;
  /** Whether it matters if it happened although the answer was lost. */
  readonly isWrite: boolean;
  readonly signal: AbortSignal;
}

/** What goes to or comes from a DataNode. */
export interface Transfer {
  readonly body?: Uint8Array;
  readonly maxBytes?: number;
}

/** The name nodes of one HDFS; opening them does no I/O. */
export class NameNodes implements AsyncDisposable {
  readonly #address: HdfsAddress;
  readonly #timeoutMs: number;
  readonly #http: HttpExchange;
  /** The active one, as far as is known. */
  #preferred = 0;

  constructor(address: HdfsAddress, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    this.#http = new HttpExchange(address);
  }

  /**
   * The answer of the active name node, whatever its status.
   * @throws OutcomeUnknownError a write's answer was lost
   * @throws TransientError none can be reached, or all are standbys
   */
  async ask(call: Call): Promise<HttpAnswer> {
    return (await this.#askActive(call)).answer;
  }

  /**
   * The same for an operation whose bytes a DataNode takes or gives.
   * @throws TransientError the DataNode cannot be reached or did not answer, too
   * @throws ConfigError the name node sends elsewhere than to a DataNode, or out of TLS
   */
  async askDataNode(call: Call, { body, maxBytes }: Transfer): Promise<HttpAnswer> {
    const { answer, nameNode } = await this.#askActive(call);
    const { location } = answer.headers;
    if (answer.status !== 307 || location === undefined) return answer;
    this.#checkPlace(location, call.doing);
    const options = { ...this.#optionsOf(call), ...(body && { body }), ...(maxBytes !== undefined && { maxBytes }) };
    try {
      const transferred = await this.#http.goTo(location, nameNode, options);
      // A standby sends to a DataNode all the same, and that one finds out.
      if (transferred.status >= 400 && isOfStandby(refusalOf(transferred))) this.#preferAnotherThan(nameNode);
      return transferred;
    } catch (error) {
      const doing = `${call.doing} by the DataNode at ${hostOf(location)}`;
      throw errorOfNoAnswer(error, call.isWrite, { address: this.#address, doing });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  /** The request layer would take other schemes, and "unix" for this machine's sockets. */
  #checkPlace(location: string, doing: string): void {
    const scheme = this.#address.isTls ? "https:" : "http:";
    const { protocol, host } = URL.parse(location) ?? {};
    if (protocol === scheme && host !== "unix") return;
    throw new ConfigError(
      `cannot ${doing} (HDFS at ${this.#address.label}): it sends to a place that is no DataNode's ${scheme}`,
      { hint: "is that the name node itself, and dfs.http.policy of the whole cluster the same?" },
    );
  }

  async #askActive(call: Call): Promise<{ readonly answer: HttpAnswer; readonly nameNode: NameNode }> {
    const { nameNodes } = this.#address;
    const doing: Doing = { address: this.#address, doing: call.doing };
    const { op, path, parameters = {} } = call;
    const start = this.#preferred;
    let failure: unknown;
    for (let tried = 0; tried < nameNodes.length; tried++) {
      const index = (start + tried) % nameNodes.length;
      const nameNode = nameNodes[index];
      if (nameNode === undefined) continue;
      try {
        const answer = await this.#http.ask({ nameNode, op, path, parameters }, this.#optionsOf(call));
        const refusal = answer.status < 400 ? undefined : refusalOf(answer);
        if (refusal === undefined || !isOfStandby(refusal)) {
          this.#preferred = index;
          return { answer, nameNode };
        }
        failure = errorOfRefusal(refusal, doing);
      } catch (error) {
        failure = errorOfNoAnswer(error, call.isWrite, doing);
        this.#preferAnotherThan(nameNode);
        const mayHaveArrived = !(error instanceof NoAnswerError) || error.mayHaveArrived;
        if (call.isWrite && mayHaveArrived) throw failure;
        if (call.signal.aborted) throw failure;
      }
    }
    throw failure;
  }

  #preferAnotherThan(nameNode: NameNode): void {
    const { nameNodes } = this.#address;
    this.#preferred = (nameNodes.indexOf(nameNode) + 1) % nameNodes.length;
  }

  #optionsOf({ method, signal }: Call): HttpOptions {
    return { method, signal, withinMs: this.#timeoutMs };
  }
}

/** Not the whole location: it says as whom, and may say by which secret. */
function hostOf(location: string): string {
  return URL.canParse(location) ? new URL(location).host : "an address that cannot be read";
}
