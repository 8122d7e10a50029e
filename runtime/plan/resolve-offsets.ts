// Turns "earliest", "latest", a time, or numbers into one offset per partition. The result goes into a plan, so that
// it is decided once and never again.
import { type PartitionBounds, type Position, partitionKey } from "../contract/positions.ts";
import type { ExplicitOffsets, OffsetSpec } from "../contract/source.ts";
import { ConfigError } from "../errors.ts";

/** Finds offsets by time; asked only when the spec is a time. */
export type OffsetsAtTime = (timestampMs: number) => Promise<readonly Position[]>;

/**
 * One position per partition of `bounds`.
 * @param role what the spec is for: partitions that explicit offsets do not name start at the earliest, end at the
 * latest
 * @throws ConfigError an explicit offset names a partition that is not there, or lies outside of what a start can be
 */
export async function resolveOffsets(
  spec: OffsetSpec,
  role: "start" | "end",
  bounds: readonly PartitionBounds[],
  offsetsAtTime: OffsetsAtTime,
): Promise<Position[]> {
  const at = (choose: (bound: PartitionBounds) => bigint) =>
    bounds.map((bound) => ({ topic: bound.topic, partition: bound.partition, offset: choose(bound) }));
  if (spec === "earliest") return at(({ earliest }) => earliest);
  if (spec === "latest") return at(({ latest }) => latest);
  if (isTimestamp(spec)) {
    const found = new Map(
      (await offsetsAtTime(spec.timestampMs)).map((position) => [partitionKey(position), position]),
    );
    return at((bound) => found.get(partitionKey(bound))?.offset ?? bound.latest);
  }
  const explicit = new Map(
    explicitPositions(spec as ExplicitOffsets).map((position) => [partitionKey(position), position]),
  );
  const there = new Set(bounds.map(partitionKey));
  for (const position of explicit.values()) {
    if (there.has(partitionKey(position))) continue;
    const known = bounds.map(({ topic, partition }) => `${topic}:${partition}`).join(", ");
    const option = role === "start" ? "startingOffsets" : "endingOffsets";
    throw new ConfigError(`${option} names ${position.topic}:${position.partition}, which is not there`, {
      hint: known === "" ? "the source has no partitions yet" : `partitions that are there: ${known}`,
    });
  }
  return at((bound) => {
    const offset = explicit.get(partitionKey(bound))?.offset;
    if (offset === undefined) return role === "start" ? bound.earliest : bound.latest;
    if (role === "start" && (offset < bound.earliest || offset > bound.latest)) {
      const { topic, partition, earliest, latest } = bound;
      throw new ConfigError(
        `startingOffsets says ${offset} for ${topic}:${partition}, which has offsets ${earliest} to ${latest}`,
        { hint: `give a number from ${earliest} to ${latest}, or "earliest" or "latest"` },
      );
    }
    return offset;
  });
}

/** Checks a spec's shape, which may come from plain JavaScript. @throws ConfigError */
export function checkOffsetSpec(spec: unknown, option: string): void {
  if (spec === "earliest" || spec === "latest") return;
  const hint = 'write "earliest", "latest", { timestampMs: 1700000000000 } or { topic: { 0: 123n } }';
  if (typeof spec !== "object" || spec === null) throw new ConfigError(`${option} cannot be ${String(spec)}`, { hint });
  if ("timestampMs" in spec) {
    if (typeof spec.timestampMs === "number" && Number.isFinite(spec.timestampMs)) return;
    throw new ConfigError(`${option}.timestampMs must be a number of milliseconds since 1970`, { hint });
  }
  for (const [topic, partitions] of Object.entries(spec)) {
    if (typeof partitions !== "object" || partitions === null) {
      throw new ConfigError(`${option}.${topic} must be an object of offsets by partition`, { hint });
    }
    for (const [partition, offset] of Object.entries(partitions)) {
      const isOffset = typeof offset === "bigint" ? offset >= 0n : Number.isSafeInteger(offset) && Number(offset) >= 0;
      if (/^\d+$/.test(partition) && isOffset) continue;
      throw new ConfigError(`${option}.${topic}[${partition}] is ${String(offset)}, not an offset`, { hint });
    }
  }
}

function isTimestamp(spec: OffsetSpec): spec is { readonly timestampMs: number } {
  return typeof spec === "object" && typeof spec["timestampMs"] === "number";
}

/** Explicit offsets as positions, in the order they were given. */
export function explicitPositions(offsets: ExplicitOffsets): Position[] {
  return Object.entries(offsets).flatMap(([topic, partitions]) =>
    Object.entries(partitions).map(([partition, offset]) => {
      return { topic, partition: Number(partition), offset: BigInt(offset) };
    }),
  );
}
