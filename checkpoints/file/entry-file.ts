// One entry as a file: a line of ASCII, `tidemark-entry 1 <token> <crc32 of the bytes, 8 hex digits> <their number>\n`,
// then the bytes. A file that is anything else is damage and is never passed over in silence; a higher format number is
// not damage but a newer tidemark's. The size is looked at before a byte is read.
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { CheckpointCorruptError, type Entry } from "../../runtime/index.ts";
import { errorCode, nothingHappened } from "./disk-errors.ts";

/** The largest entry that is written or read: 64 MiB. */
export const MAX_ENTRY_BYTES = 64 * 1024 * 1024;

const FORMAT = 1;
const HEADER_MAX_BYTES = 128;
const NEWLINE = 0x0a;

/** The whole file of an entry. */
export function encodeEntry({ token, bytes }: Entry): Uint8Array {
  if (!/^[0-9a-f]{32}$/.test(token)) throw new TypeError("an entry's token is 32 hex digits");
  if (bytes.byteLength > MAX_ENTRY_BYTES) {
    throw new RangeError(`an entry of ${bytes.byteLength} bytes is larger than ${MAX_ENTRY_BYTES}`);
  }
  const header = `tidemark-entry ${FORMAT} ${token} ${checksum(bytes)} ${bytes.byteLength}\n`;
  return Buffer.concat([Buffer.from(header, "latin1"), bytes]);
}

/**
 * The entry in a file, undefined when there is no such file.
 * @throws CheckpointCorruptError the file is damaged, or of a newer format (code "FUTURE_FORMAT")
 * @throws TransientError it cannot be read now
 */
export async function readEntryFile(path: string): Promise<Entry | undefined> {
  let handle: FileHandle | undefined;
  let file: Uint8Array;
  try {
    handle = await open(path, "r");
    const { size } = await handle.stat();
    if (size > MAX_ENTRY_BYTES + HEADER_MAX_BYTES) throw damaged(path, `it has ${size} bytes, too many for an entry`);
    // One read: an entry's file is complete before it gets its name, so what is shorter or longer is damage.
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.allocUnsafeSlow(size + 1), position: 0 });
    file = buffer.subarray(0, bytesRead);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error instanceof CheckpointCorruptError ? error : nothingHappened(error, "read", path);
  } finally {
    await handle?.close();
  }
  return decodeEntry(file, path);
}

function decodeEntry(file: Uint8Array, path: string): Entry {
  const start = Buffer.from(file.subarray(0, HEADER_MAX_BYTES)).toString("latin1");
  const format = /^tidemark-entry (\d{1,9})[ \n]/.exec(start)?.[1];
  if (format === undefined) throw damaged(path, "it does not begin like an entry");
  if (Number(format) > FORMAT) throw future(path, format);

  const headerBytes = file.subarray(0, HEADER_MAX_BYTES).indexOf(NEWLINE) + 1;
  const header = /^tidemark-entry 1 ([0-9a-f]{32}) ([0-9a-f]{8}) (\d{1,9})\n$/.exec(start.slice(0, headerBytes));
  const [, token, expected, length] = header ?? [];
  if (token === undefined) throw damaged(path, "its first line is damaged");

  const bytes = new Uint8Array(file.buffer, file.byteOffset + headerBytes, file.byteLength - headerBytes);
  if (bytes.byteLength !== Number(length)) throw damaged(path, `it has ${bytes.byteLength} bytes instead of ${length}`);
  if (checksum(bytes) !== expected) throw damaged(path, "its checksum does not fit its bytes");
  return { token, bytes };
}

function checksum(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

function damaged(path: string, reason: string): CheckpointCorruptError {
  return new CheckpointCorruptError(`the checkpoint entry ${path} is damaged: ${reason}`, {
    hint: "runtime doctor job.ts says what is sound; put the file back from a backup, or reset the job",
  });
}

function future(path: string, format: string): CheckpointCorruptError {
  return new CheckpointCorruptError(
    `the checkpoint entry ${path} has format ${format}; this tidemark knows ${FORMAT}`,
    {
      code: "FUTURE_FORMAT",
      hint: "a newer tidemark wrote it: npm install tidemark@latest",
    },
  );
}
