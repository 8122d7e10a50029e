// One connection a broker, made when it is first needed, shared by everything that asks this broker, and made anew
// after it broke. Every call has a deadline and ends when it is told to; requests that are already sent are left to the
// connection, and their answers are dropped.
import { isIP } from "node:net";
import { TransientError } from "../../runtime/index.ts";
import { abortable } from "./abortable.ts";
import {
  type BrokerAddress,
  type CheckedConnectionOptions,
  formatBroker,
  type SaslOptions,
} from "./connection-options.ts";
import { asKafkaError } from "./kafka-errors.ts";
import { type API, Connection, type ConnectionOptions, type SASLOptions } from "./library.ts";

/** Requests on their way to one broker at the same time; more wait their turn. */
const MAX_INFLIGHT_REQUESTS = 16;

interface OpenConnection {
  readonly connection: Connection;
  readonly ready: Promise<void>;
  /** The first error that the connection reported by itself. */
  seen: unknown;
}

/** The connections to a cluster's brokers. */
export class BrokerConnections implements AsyncDisposable {
  private readonly options: CheckedConnectionOptions;
  private readonly open = new Map<string, OpenConnection>();
  private isClosed = false;

  constructor(options: CheckedConnectionOptions) {
    this.options = options;
  }

  /**
   * Sends one request to a broker and waits for its answer.
   * @throws ConfigError TLS or login cannot work with these options
   * @throws TransientError the broker cannot be reached, or did not answer in time
   * @throws the signal's reason
   */
  async call<Arguments extends unknown[], Answer>(
    broker: BrokerAddress,
    api: API<Arguments, Answer>,
    request: Arguments,
    signal: AbortSignal,
  ): Promise<Answer> {
    signal.throwIfAborted();
    const address = formatBroker(broker);
    if (this.isClosed) throw new TransientError(`the connection to Kafka at ${address} was closed here`);
    const opened = this.connect(broker, address);
    try {
      await abortable(opened.ready, signal);
      return await abortable(answerOf(api, opened.connection, request), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!opened.connection.isConnected()) this.forget(address, opened);
      throw asKafkaError(error, { broker: address, sasl: this.options.sasl }, opened.seen);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    const all = [...this.open.values()];
    this.open.clear();
    // One that is not connected yet is cut off when it is: nobody waits for it.
    await Promise.all(all.map(({ connection }) => closed(connection)));
  }

  private connect(broker: BrokerAddress, address: string): OpenConnection {
    const known = this.open.get(address);
    if (known !== undefined) return known;
    const connection = new Connection(this.options.clientId, connectionOptions(this.options, broker));
    const ready = new Promise<void>((resolve, reject) => {
      connection.connect(broker.host, broker.port, (error) => (error ? reject(error) : resolve()));
    });
    const opened: OpenConnection = { connection, ready, seen: undefined };
    connection.on("error", (error) => {
      opened.seen ??= error;
    });
    connection.on("close", () => this.forget(address, opened));
    ready.catch(() => this.forget(address, opened));
    this.open.set(address, opened);
    return opened;
  }

  private forget(address: string, opened: OpenConnection): void {
    if (this.open.get(address) === opened) this.open.delete(address);
  }
}

/** A broker's answer. One that says that something went wrong is an answer too: callers look at its codes. */
function answerOf<Arguments extends unknown[], Answer>(
  api: API<Arguments, Answer>,
  connection: Connection,
  request: Arguments,
): Promise<Answer> {
  return api.async(connection, ...request).catch((error) => {
    if (
      error instanceof Error &&
      "response" in error &&
      typeof error.response === "object" &&
      error.response !== null
    ) {
      return error.response as Answer;
    }
    throw error;
  });
}

async function closed(connection: Connection): Promise<void> {
  const isClosed = new Promise<void>((resolve) => connection.close(() => resolve()));
  connection.socket?.destroy();
  await isClosed;
}

function connectionOptions(options: CheckedConnectionOptions, { host }: BrokerAddress): ConnectionOptions {
  const { tls, sasl, connectTimeoutMs, requestTimeoutMs } = options;
  const serverName = tls?.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    maxInflights: MAX_INFLIGHT_REQUESTS,
    ...(tls === undefined ? {} : { tls: { secureContext: tls.secureContext } }),
    ...(tls === undefined || serverName === undefined ? {} : { tlsServerName: serverName }),
    ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
  };
}

function saslOptions(sasl: SaslOptions): SASLOptions {
  if (sasl.mechanism !== "OAUTHBEARER") return sasl;
  return {
    mechanism: sasl.mechanism,
    token: sasl.token,
    // A refused token comes back in the answer's bytes, with a code that says success (RFC 7628, section 3.2.2).
    authBytesValidator: (bytes, callback) =>
      bytes.length === 0 ? callback(null, bytes) : callback(new Error("invalid_token")),
  };
}
