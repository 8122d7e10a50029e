// Entries as a file: each is a line of ASCII, `tidemark-entry 1 <number> <token> <crc32 of the bytes, 8 hex digits>
// <their count>`, then the bytes and a newline; rolling several together is putting their texts one after the other. A
// file that is anything else is damage and is never passed over in silence; a higher format number is not damage but a
// newer tidemark's.
import { crc32 } from "node:zlib";
import { CheckpointCorruptError, type NumberedEntry } from "../../runtime/index.ts";

/** The largest entry that is written or read: 16 MiB. */
export const MAX_ENTRY_BYTES = 16 * 1024 * 1024;

const FORMAT = 1;
const HEADER_MAX_BYTES = 128;
const NEWLINE = 0x0a;

/** The text of one entry, which alone is a whole file. */
export function encodeEntry({ seq, entry: { token, bytes } }: NumberedEntry): Uint8Array {
  if (!/^[0-9a-f]{32}$/.test(token)) throw new TypeError("an entry's token is 32 hex digits");
  if (bytes.byteLength > MAX_ENTRY_BYTES) {
    throw new RangeError(`an entry of ${bytes.byteLength} bytes is larger than ${MAX_ENTRY_BYTES}`);
  }
  const header = `tidemark-entry ${FORMAT} ${seq} ${token} ${checksum(bytes)} ${bytes.byteLength}\n`;
  return Buffer.concat([Buffer.from(header, "latin1"), bytes, Buffer.of(NEWLINE)]);
}

/**
 * The entries of a file, in their order, at least one.
 * @throws CheckpointCorruptError the file is damaged, or of a newer format (code "FUTURE_FORMAT")
 */
export function decodeEntries(file: Uint8Array, path: string): readonly NumberedEntry[] {
  const entries: NumberedEntry[] = [];
  let start = 0;
  do {
    const { item, end } = decodeAt(file, start, path);
    entries.push(item);
    start = end;
  } while (start < file.byteLength);
  return entries;
}

function decodeAt(
  file: Uint8Array,
  start: number,
  path: string,
): { readonly item: NumberedEntry; readonly end: number } {
  const beginning = file.subarray(start, start + HEADER_MAX_BYTES);
  const text = Buffer.from(beginning).toString("latin1");
  const format = /^tidemark-entry (\d{1,9})[ \n]/.exec(text)?.[1];
  if (format === undefined) throw damaged(path, `there is no entry at byte ${start}`);
  if (Number(format) > FORMAT) throw future(path, format);

  const headerBytes = beginning.indexOf(NEWLINE) + 1;
  const header = /^tidemark-entry 1 (\d{1,16}) ([0-9a-f]{32}) ([0-9a-f]{8}) (\d{1,9})\n$/.exec(
    text.slice(0, headerBytes),
  );
  const [, seq, token, expected, length] = header ?? [];
  if (seq === undefined || token === undefined) throw damaged(path, `the first line of the entry at byte ${start} is`);

  const from = start + headerBytes;
  const end = from + Number(length) + 1;
  if (end > file.byteLength || file[end - 1] !== NEWLINE) throw damaged(path, `entry ${seq} has not all of its bytes`);
  const bytes = new Uint8Array(file.subarray(from, end - 1));
  if (checksum(bytes) !== expected) throw damaged(path, `the checksum of entry ${seq} does not fit its bytes`);
  return { item: { seq: BigInt(seq), entry: { token, bytes } }, end };
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

function damaged(path: string, reason: string): CheckpointCorruptError {
  return new CheckpointCorruptError(`the checkpoint file ${path} is damaged: ${reason}`, {
    hint: "runtime doctor job.ts says what is sound; put the file back from a snapshot, or reset the job",
  });
}

function future(path: string, format: string): CheckpointCorruptError {
  return new CheckpointCorruptError(`the checkpoint file ${path} has format ${format}; this tidemark knows ${FORMAT}`, {
    code: "FUTURE_FORMAT",
    hint: "a newer tidemark wrote it: npm install tidemark@latest",
  });
}
