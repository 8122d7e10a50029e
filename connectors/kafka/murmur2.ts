// The hash by which Kafka's Java clients spread keys over partitions: MurmurHash2, 32 bits, with their seed. Records of
// one key must land where every other producer puts them, so it is bit for bit Java's (Utils.murmur2 in kafka-clients).
const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

/** The hash of `bytes` from `start` (inclusive) to `end` (exclusive), as a signed 32-bit number. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  let hash = SEED ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let four = Math.imul(byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | upperHalf(bytes, at), MULTIPLIER);
    four = Math.imul(four ^ (four >>> SHIFT), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ four;
  }
  const left = end - at;
  if (left >= 3) hash ^= byteAt(bytes, at + 2) << 16;
  if (left >= 2) hash ^= byteAt(bytes, at + 1) << 8;
  if (left >= 1) hash = Math.imul(hash ^ byteAt(bytes, at), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

function upperHalf(bytes: Uint8Array, at: number): number {
  return (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
