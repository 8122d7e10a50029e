// Loads the driver for the protocol of HBase 0.94 when the first call needs it, and says what of it is used: the
// package has no types of its own.
import type { Socket } from "node:net";
import { ConfigError } from "../../runtime/index.ts";

/** 64 bits, as the driver has them. */
export interface Long {
  toNumber(): number;
}

export interface KeyValue {
  getFamily(): Buffer;
  getQualifier(): Buffer;
  getTimestamp(): Long;
  getValue(): Buffer;
}

export interface Result {
  getRow(): Buffer | null;
  raw(): readonly KeyValue[];
}

export interface Get {
  addColumn(family: string, qualifier: string): Get;
}

export interface Put {
  readonly ts: Long & { readonly constructor: { fromNumber(value: number): Long } };
  add(family: string, qualifier: string, value: Buffer, timestamp: Long): Put;
}

export interface Delete {
  deleteColumns(family: string, qualifier: string, timestamp: Long): Delete;
  deleteFamily(family: string, timestamp: Long): Delete;
}

export interface Scan {
  batch: number;
  caching: number;
  addFamily(family: string): Scan;
  addColumn(family: string, qualifier: string): Scan;
  setFilter(filter: object): Scan;
}

export type Callback<T> = (error: Error | null | undefined, value: T) => void;

export interface Scanner {
  next(rows: number, callback: Callback<readonly (Result | null)[] | undefined>): void;
  close(callback: () => void): void;
}

/** A connection to one server; `socket` and `_pingTimer` are below the driver's surface. */
interface ServerConnection {
  readonly socket?: Socket;
  readonly _pingTimer?: { unref(): void } | null;
  close(): void;
}

export interface Client {
  readonly servers: Readonly<Record<string, ServerConnection>>;
  setMaxListeners(count: number): void;
  /** Below the driver's surface: the connection to a server, which is made when there is none. */
  getRegionConnection(host: string, port: number, callback: Callback<unknown>): void;
  locateRegion(table: string, row: Buffer, useCache: boolean, callback: Callback<unknown>): void;
  get(table: string, get: Get, callback: Callback<Result | null>): void;
  checkAndPut(
    table: string,
    row: Buffer,
    family: string,
    qualifier: string,
    value: Buffer,
    put: Put,
    callback: Callback<boolean>,
  ): void;
  getScanner(table: string, scan: Scan, callback: Callback<Scanner>): void;
  processBatch(
    table: string,
    work: readonly (Put | Delete)[],
    useCache: boolean,
    retry: number,
    callback: Callback<readonly unknown[]>,
  ): void;
}

/** What the driver asks of ZooKeeper: one node, which is told once. */
export interface RootNode {
  once(event: "connected", callback: (error?: Error) => void): void;
  unWatch(path: string): void;
  watch(path: string, callback: (error: Error | null, data: Buffer) => void): void;
  get(path: string, callback: (error: Error | null, data: Buffer) => void): void;
}

interface Logger {
  warn(): void;
  error(): void;
}

export interface Driver {
  readonly Get: new (row: Buffer) => Get;
  readonly Put: new (row: Buffer) => Put;
  readonly Delete: new (row: Buffer) => Delete;
  readonly Scan: new (from: Buffer, until: Buffer) => Scan;
  readonly filters: {
    readonly ColumnRangeFilter: new (
      from: string,
      fromInclusive: boolean,
      until: string,
      untilInclusive: boolean,
    ) => object;
  };
  create(options: { readonly zk: RootNode; readonly rpcTimeout: number; readonly logger: Logger }): Client;
}

/** The package `hbase-client`. @throws ConfigError it is not installed */
export async function loadHBaseClient(): Promise<Driver> {
  try {
    const { default: driver }: { default: Driver } = await import("hbase-client");
    return driver;
  } catch (cause) {
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw cause;
    throw new ConfigError("HBase 0.94 needs the package hbase-client, which is not installed", {
      hint: "npm install hbase-client",
      cause,
    });
  }
}
