// The few messages of HBase's RPC protocol that are used here, by the field numbers of the published protocol (HBase
// Reference Guide, appendix "HBase RPC"; unchanged from 0.96 to 2.6). Bytes that are decoded are views of what was
// received, and what is malformed is refused by the decoder.
import protobuf, { type Type } from "protobufjs";

/** A field, as in "required bytes 1". */
type FieldText = `${"required " | "repeated " | ""}${string} ${number}`;

const text = {
  UserInformation: { effectiveUser: "required string 1" },
  ConnectionHeader: { userInfo: "UserInformation 1", serviceName: "string 2" },
  RequestHeader: { callId: "uint32 1", methodName: "string 3", requestParam: "bool 4", timeout: "uint32 7" },
  ExceptionResponse: { exceptionClassName: "string 1", stackTrace: "string 2", doNotRetry: "bool 5" },
  ResponseHeader: { callId: "uint32 1", exception: "ExceptionResponse 2" },

  NameBytesPair: { name: "required string 1", value: "bytes 2" },
  BytesBytesPair: { first: "required bytes 1", second: "required bytes 2" },
  ServerName: { hostName: "required string 1", port: "uint32 2", startCode: "uint64 3" },
  TableName: { namespace: "required bytes 1", qualifier: "required bytes 2" },
  RegionInfo: {
    regionId: "required uint64 1",
    tableName: "required TableName 2",
    startKey: "bytes 3",
    endKey: "bytes 4",
    offline: "bool 5",
    split: "bool 6",
  },
  /** type 1: by its name. */
  RegionSpecifier: { type: "required int32 1", value: "required bytes 2" },
  MetaRegionServer: { server: "required ServerName 1" },
  Master: { master: "required ServerName 1" },

  /** timestamp: uint64; cellType: 4 is a put. */
  Cell: { row: "bytes 1", family: "bytes 2", qualifier: "bytes 3", timestamp: "uint64 4", value: "bytes 6" },
  Result: { cell: "repeated Cell 1" },
  Column: { family: "required bytes 1", qualifier: "repeated bytes 2" },
  Filter: { name: "required string 1", serializedFilter: "bytes 2" },
  ColumnRangeFilter: {
    minColumn: "bytes 1",
    minColumnInclusive: "bool 2",
    maxColumn: "bytes 3",
    maxColumnInclusive: "bool 4",
  },
  Get: { row: "required bytes 1", column: "repeated Column 2", filter: "Filter 4", storeLimit: "uint32 8" },
  GetRequest: { region: "required RegionSpecifier 1", get: "required Get 2" },
  GetResponse: { result: "Result 1" },

  ByteArrayComparable: { value: "bytes 1" },
  BinaryComparator: { comparable: "required ByteArrayComparable 1" },
  Comparator: { name: "required string 1", serializedComparator: "bytes 2" },
  /** compareType 2: equal. */
  Condition: {
    row: "required bytes 1",
    family: "bytes 2",
    qualifier: "bytes 3",
    compareType: "int32 4",
    comparator: "Comparator 5",
  },
  /** deleteType 1: all versions up to the timestamp; 2: the same for the whole family. */
  QualifierValue: { qualifier: "bytes 1", value: "bytes 2", timestamp: "uint64 3", deleteType: "int32 4" },
  ColumnValue: { family: "required bytes 1", qualifierValue: "repeated QualifierValue 2" },
  /** mutateType 2: put, 3: delete; durability 4: synced to disk. */
  MutationProto: {
    row: "bytes 1",
    mutateType: "int32 2",
    columnValue: "repeated ColumnValue 3",
    durability: "int32 6",
  },
  MutateRequest: {
    region: "required RegionSpecifier 1",
    mutation: "required MutationProto 2",
    condition: "Condition 3",
  },
  MutateResponse: { processed: "bool 2" },

  Action: { index: "uint32 1", mutation: "MutationProto 2" },
  RegionAction: { region: "required RegionSpecifier 1", action: "repeated Action 3" },
  MultiRequest: { regionAction: "repeated RegionAction 1" },
  ResultOrException: { index: "uint32 1", exception: "NameBytesPair 3" },
  RegionActionResult: { resultOrException: "repeated ResultOrException 1", exception: "NameBytesPair 2" },
  MultiResponse: { regionActionResult: "repeated RegionActionResult 1" },

  Scan: {
    column: "repeated Column 1",
    startRow: "bytes 3",
    stopRow: "bytes 4",
    reversed: "bool 15",
    caching: "uint32 17",
    includeStartRow: "bool 21",
    includeStopRow: "bool 22",
  },
  ScanRequest: {
    region: "RegionSpecifier 1",
    scan: "Scan 2",
    numberOfRows: "uint32 4",
    closeScanner: "bool 5",
    limitOfRows: "uint32 11",
  },
  ScanResponse: { moreResults: "bool 3", results: "repeated Result 5", moreResultsInRegion: "bool 8" },

  ColumnFamilySchema: { name: "required bytes 1", attributes: "repeated BytesBytesPair 2" },
  TableSchema: { tableName: "TableName 1", columnFamilies: "repeated ColumnFamilySchema 3" },
  CreateTableRequest: { tableSchema: "required TableSchema 1" },
  CreateTableResponse: { procId: "uint64 1" },
  GetTableDescriptorsRequest: { tableNames: "repeated TableName 1" },
  GetTableDescriptorsResponse: { tableSchema: "repeated TableSchema 1" },
} as const satisfies Record<string, Record<string, FieldText>>;

/** The messages' names. */
export type MessageName = keyof typeof text;

const root = protobuf.Root.fromJSON({
  nested: Object.fromEntries(
    Object.entries(text).map(([name, fields]) => [
      name,
      // What is given is sent, false and 0 too: for the server an absent field may mean something else.
      {
        edition: "proto2",
        fields: Object.fromEntries(Object.entries(fields).map(([field, said]) => [field, fieldOf(said)])),
      },
    ]),
  ),
});

const types = new Map<MessageName, Type>(
  (Object.keys(text) as MessageName[]).map((name) => [name, root.lookupType(name)]),
);

function fieldOf(said: string): protobuf.IField & { rule?: string } {
  const words = said.split(" ");
  const [type = "", id = ""] = words.slice(-2);
  return { type, id: Number(id), ...(words.length === 3 && { rule: words[0] }) };
}

function typeOf(name: MessageName): Type {
  const type = types.get(name);
  if (type === undefined) throw new Error(`there is no message ${name}`);
  return type;
}

/** A message as bytes. */
export function encode(name: MessageName, value: object): Uint8Array {
  return typeOf(name).encode(value).finish();
}

/** A message with its length before it. */
export function encodeDelimited(name: MessageName, value: object): Uint8Array {
  return typeOf(name).encodeDelimited(value).finish();
}

/**
 * What a message says; fields that are absent are left out, but for lists, which are empty.
 * @throws Error it is malformed
 */
export function decode<T>(name: MessageName, bytes: Uint8Array): T {
  return typeOf(name).toObject(typeOf(name).decode(bytes), { longs: Number, arrays: true }) as T;
}

/**
 * Like `decode`, for a message that begins at `at` with its length, and where the next thing begins.
 * @throws Error it is malformed
 */
export function decodeDelimited<T>(name: MessageName, bytes: Uint8Array, at: number): { value: T; end: number } {
  const reader = protobuf.Reader.create(bytes);
  reader.pos = at;
  const message = typeOf(name).decodeDelimited(reader);
  return { value: typeOf(name).toObject(message, { longs: Number, arrays: true }) as T, end: reader.pos };
}

export interface CellMessage {
  readonly row?: Uint8Array;
  readonly family?: Uint8Array;
  readonly qualifier?: Uint8Array;
  readonly timestamp?: number;
  readonly value?: Uint8Array;
}

export interface ResultMessage {
  readonly cell: readonly CellMessage[];
}

export interface ServerNameMessage {
  readonly hostName: string;
  readonly port?: number;
  readonly startCode?: number;
}
