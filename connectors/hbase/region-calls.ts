// Calls to the servers of a cluster of HBase 2.x: one connection a server, opened when needed and replaced when it has
// ended, and the regions as they were last seen. A call whose region has moved, or that could not be sent, had no
// effect: the region is looked up again and the call made anew, for some seconds. A call whose reply was lost is never
// repeated here.
import { messageOf, TidemarkError } from "../../runtime/index.ts";
import type { HBaseAddress } from "./address.ts";
import { masterServer, metaServer } from "./in-zookeeper.ts";
import type { ResultMessage } from "./messages.ts";
import { metaScan, regionOf } from "./meta-table.ts";
import { Patience } from "./patience.ts";
import { KnownRegions, type Region } from "./regions.ts";
import { type Call, type Login, RpcConnection, type ServerAddress } from "./rpc-connection.ts";
import { isElsewhere, NotSentError, ServerException } from "./rpc-errors.ts";

const CONNECT_WITHIN_MS = 5_000;
const CALL_WITHIN_MS = 10_000;

export interface Work {
  readonly table: string;
  /** As in "cannot … ". */
  readonly doing: string;
  readonly writes: boolean;
  readonly signal: AbortSignal;
}

/** Where a server is reached, if not where it says it is. */
export type Route = (server: ServerAddress) => ServerAddress;

/** The connections to one cluster. Constructing it does no I/O. */
export class RegionCalls implements AsyncDisposable {
  readonly address: HBaseAddress;
  readonly #route: Route;
  readonly #connections = new Map<string, Promise<RpcConnection>>();
  readonly #regions = new Map<string, KnownRegions>();
  #meta: ServerAddress | undefined;
  #isClosed = false;

  constructor(address: HBaseAddress, route: Route = (server) => server) {
    this.address = address;
    this.#route = route;
  }

  /**
   * Makes a call to the region that holds a row, wherever that is.
   * @throws TransientError | OutcomeUnknownError | ConfigError as `failureOf` has it
   */
  async onRegion<T>(
    row: Uint8Array,
    callOf: (region: Region) => Call,
    work: Work,
  ): Promise<{ readonly region: Region; readonly value: T }> {
    const { table, signal } = work;
    const patience = this.patience(work);
    for (;;) {
      let region: Region | undefined;
      try {
        region = await this.regionOf(table, row, signal);
        return { region, value: await this.callRegionServer<T>(region.server, callOf(region), signal) };
      } catch (error) {
        if (region !== undefined) this.forget(table, region);
        await patience.wait(error);
      }
    }
  }

  /** Makes a call to one region server. @throws NotSentError | LostReplyError | ServerException */
  async callRegionServer<T>(server: ServerAddress, call: Call, signal: AbortSignal): Promise<T> {
    const connection = await this.#connect(server, "ClientService", signal);
    return await connection.call<T>(call, { withinMs: CALL_WITHIN_MS, signal });
  }

  /** Makes a call to the active master. @throws NotSentError | LostReplyError | ServerException | TidemarkError */
  async callMaster<T>(call: Call, signal: AbortSignal): Promise<T> {
    const master = await masterServer(this.address, signal);
    const connection = await this.#connect(master, "MasterService", signal);
    return await connection.call<T>(call, { withinMs: CALL_WITHIN_MS, signal });
  }

  /** The region that holds a row, as it was last seen. @throws ServerException | NotSentError | TidemarkError */
  async regionOf(table: string, row: Uint8Array, signal: AbortSignal): Promise<Region> {
    const known = this.#regions.get(table)?.find(row);
    if (known !== undefined) return known;
    const region = await this.lookUp(table, metaScan(table, row), signal);
    const regions = this.#regions.get(table) ?? new KnownRegions();
    this.#regions.set(table, regions);
    regions.add(region);
    return region;
  }

  /** The region that ends where `region` begins. @throws ServerException | NotSentError | TidemarkError */
  async regionBefore(table: string, { start }: Region, signal: AbortSignal): Promise<Region> {
    return await this.lookUp(table, metaScan(table, start, true), signal);
  }

  /** What was known of the region turned out to be out of date. */
  forget(table: string, region: Region): void {
    this.#regions.get(table)?.forget(region);
  }

  /** Decides how often one piece of work may look for its regions again. */
  patience(work: Work): Patience {
    const { zookeeper: cluster, user } = this.address;
    return new Patience({ ...work, cluster, user }, work.signal);
  }

  /**
   * What hbase:meta answers to a scan of `metaScan`. It is only read: a reply that is lost leaves nothing open.
   * @throws ServerException | NotSentError | TidemarkError
   */
  async lookUp(table: string, scan: Call, signal: AbortSignal): Promise<Region> {
    try {
      this.#meta ??= await metaServer(this.address, signal);
      const { results } = await this.callRegionServer<{ results: readonly ResultMessage[] }>(this.#meta, scan, signal);
      return regionOf(table, results[0]);
    } catch (error) {
      const isAnswer = error instanceof ServerException && !isElsewhere(error);
      if (!isAnswer) this.#meta = undefined;
      if (signal.aborted || error instanceof ServerException || error instanceof TidemarkError) throw error;
      throw new NotSentError(`hbase:meta cannot be read: ${messageOf(error)}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const closed = new Error("the connection is closed");
    for (const opening of this.#connections.values()) {
      await opening.then(
        (connection) => connection.end(closed),
        () => undefined,
      );
    }
  }

  async #connect(server: ServerAddress, service: Login["service"], signal: AbortSignal): Promise<RpcConnection> {
    if (this.#isClosed) throw new Error(`the connections to HBase at ${this.address.zookeeper} are closed`);
    signal.throwIfAborted();
    const key = `${service} ${server.host}:${server.port}`;
    const known = this.#connections.get(key);
    const isUsable = await known?.then(
      ({ isOpen }) => isOpen,
      () => false,
    );
    if (known !== undefined && isUsable === true) return await known;
    // Another may have opened it meanwhile; whoever comes while it is being opened waits for the same.
    const current = this.#connections.get(key);
    if (current !== undefined && current !== known) return await current;
    const limits = { withinMs: CONNECT_WITHIN_MS, signal: new AbortController().signal };
    const opening = RpcConnection.open(this.#route(server), { service, user: this.address.user }, limits);
    this.#connections.set(key, opening);
    return await opening;
  }
}
