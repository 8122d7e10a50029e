// Strings out of ASCII bytes. Fields of JSON are mostly some letters long: then a call with the letters themselves is
// three times as fast as one that copies a slice of the buffer.
const from = String.fromCharCode;

/** The string of the bytes from `start` (inclusive) to `end` (exclusive), all of which are below 0x80. */
export function asciiText(bytes: Buffer, start: number, end: number): string {
  const at = (index: number) => bytes[start + index] as number;
  switch (end - start) {
    case 0:
      return "";
    case 1:
      return from(at(0));
    case 2:
      return from(at(0), at(1));
    case 3:
      return from(at(0), at(1), at(2));
    case 4:
      return from(at(0), at(1), at(2), at(3));
    case 5:
      return from(at(0), at(1), at(2), at(3), at(4));
    case 6:
      return from(at(0), at(1), at(2), at(3), at(4), at(5));
    case 7:
      return from(at(0), at(1), at(2), at(3), at(4), at(5), at(6));
    case 8:
      return from(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
    case 9:
      return from(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8));
    case 10:
      return from(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8), at(9));
    default:
      return bytes.toString("latin1", start, end);
  }
}
