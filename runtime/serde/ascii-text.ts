// Strings out of ASCII bytes. Fields of JSON are mostly some letters long: then a call with the letters themselves is
// three times as fast as one that copies a slice of the buffer.
const from = String.fromCharCode;

/** The string of the bytes from `start` (inclusive) to `end` (exclusive), all of which are below 0x80. */
export function asciiText(bytes: Buffer, start: number, end: number): string {
  switch (end - start) {
    case 0:
      return "";
    case 1:
      return from(at(bytes, start));
    case 2:
      return from(at(bytes, start), at(bytes, start + 1));
    case 3:
      return from(at(bytes, start), at(bytes, start + 1), at(bytes, start + 2));
    case 4:
      return from(at(bytes, start), at(bytes, start + 1), at(bytes, start + 2), at(bytes, start + 3));
    case 5:
      return from(
        at(bytes, start),
        at(bytes, start + 1),
        at(bytes, start + 2),
        at(bytes, start + 3),
        at(bytes, start + 4),
      );
    case 6:
      return from(
        at(bytes, start),
        at(bytes, start + 1),
        at(bytes, start + 2),
        at(bytes, start + 3),
        at(bytes, start + 4),
        at(bytes, start + 5),
      );
    case 7:
      return from(
        at(bytes, start),
        at(bytes, start + 1),
        at(bytes, start + 2),
        at(bytes, start + 3),
        at(bytes, start + 4),
        at(bytes, start + 5),
        at(bytes, start + 6),
      );
    case 8:
      return from(
        at(bytes, start),
        at(bytes, start + 1),
        at(bytes, start + 2),
        at(bytes, start + 3),
        at(bytes, start + 4),
        at(bytes, start + 5),
        at(bytes, start + 6),
        at(bytes, start + 7),
      );
    case 9:
      return from(
        at(bytes, start),
        at(bytes, start + 1),
        at(bytes, start + 2),
        at(bytes, start + 3),
        at(bytes, start + 4),
        at(bytes, start + 5),
        at(bytes, start + 6),
        at(bytes, start + 7),
        at(bytes, start + 8),
      );
    default:
      return bytes.toString("latin1", start, end);
  }
}

function at(bytes: Buffer, index: number): number {
  return bytes[index] as number;
}
