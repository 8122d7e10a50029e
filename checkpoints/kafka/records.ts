// The records of the entries topic. `<job>/<seq>` is an entry: its bytes are the value, its token a header, and a
// tombstone forgets it; these count only in transactions. `<job>/heartbeat` is the sign of life, in JSON, outside of
// any. Other keys are not looked at.
import {
  addHeaders,
  addKey,
  addValue,
  codecs,
  ONLY_PARTITION,
  type PendingBatch,
  type RawLogRecord,
  RecordBatchWriter,
  RecordBytes,
} from "../../connectors/kafka/for-stores.ts";
import type { Entry, Heartbeat, NumberedEntry } from "../../runtime/index.ts";
import { decodeHeartbeat, encodeHeartbeat, HEARTBEAT_MAX_BYTES } from "../heartbeat-json.ts";
import { isJobName } from "../job-name.ts";

const TOKEN_HEADER = "token";
const HEARTBEAT = "heartbeat";
const NOTHING = new Uint8Array(0);
const SEQ = /^\d{1,19}$/;

/** What a record changes. */
export type Change =
  | { readonly kind: "entry"; readonly jobName: string; readonly seq: bigint; readonly entry: Entry | undefined }
  | { readonly kind: "heartbeat"; readonly jobName: string; readonly heartbeat: Heartbeat };

/** What keys of a job's records begin with. */
export function keyPrefixOf(jobName: string): Buffer {
  return Buffer.from(`${jobName}/`);
}

/** One entry as a record. */
export function entryBatch(topic: string, jobName: string, { seq, entry }: NumberedEntry): PendingBatch {
  const records = new RecordBatchWriter(entry.bytes.length + 256);
  append(records, `${jobName}/${seq}`, entry.bytes, [[TOKEN_HEADER, entry.token]]);
  return { topic, partition: ONLY_PARTITION, records, codec: codecs.none };
}

/** Tombstones of entries. */
export function tombstoneBatch(topic: string, jobName: string, seqs: readonly bigint[]): PendingBatch {
  const records = new RecordBatchWriter();
  for (const seq of seqs) append(records, `${jobName}/${seq}`, null);
  return { topic, partition: ONLY_PARTITION, records, codec: codecs.none };
}

/** A heartbeat as a record. */
export function heartbeatRecords(jobName: string, heartbeat: Heartbeat): RecordBatchWriter {
  const records = new RecordBatchWriter();
  append(records, `${jobName}/${HEARTBEAT}`, encodeHeartbeat(heartbeat));
  return records;
}

/** What a record changes; undefined when it is none of ours. The bytes are copied, unless `keepsBytes` is false. */
export function changeOf({ key, value, headers }: RawLogRecord, keepsBytes: boolean): Change | undefined {
  const [jobName = "", name = "", ...rest] = key.toString("latin1").split("/");
  if (rest.length > 0 || !isJobName(jobName)) return undefined;
  if (name === HEARTBEAT) {
    const heartbeat = value === undefined ? undefined : heartbeatOf(value);
    return heartbeat && { kind: "heartbeat", jobName, heartbeat };
  }
  if (!SEQ.test(name)) return undefined;
  const seq = BigInt(name);
  if (value === undefined) return { kind: "entry", jobName, seq, entry: undefined };
  const token = Buffer.from(headers.find(([header]) => header === TOKEN_HEADER)?.[1] ?? []).toString("latin1");
  return { kind: "entry", jobName, seq, entry: { token, bytes: keepsBytes ? new Uint8Array(value) : NOTHING } };
}

function append(
  records: RecordBatchWriter,
  key: string,
  value: Uint8Array | string | null,
  headers: readonly (readonly [string, string])[] = [],
): void {
  const body = new RecordBytes((value?.length ?? 0) + 256);
  addKey(body, key);
  addValue(body, value);
  addHeaders(body, headers);
  records.append(body.bytes, 0, body.length);
}

function heartbeatOf(bytes: Buffer): Heartbeat | undefined {
  return bytes.length > HEARTBEAT_MAX_BYTES ? undefined : decodeHeartbeat(bytes.toString("utf8"));
}
