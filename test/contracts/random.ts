// Random numbers that can be had again: every random test says its seed when it fails, and TEST_SEED runs it with that
// one.

/** A seed, printed by the caller when its test fails, and the numbers in [0, 1) that follow from it. */
export function seedOf(name: string): { readonly seed: string; readonly random: () => number } {
  const seed = process.env["TEST_SEED"] ?? `${name}-${Math.floor(Math.random() * 1e9)}`;
  let state = 0x811c9dc5;
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193) >>> 0;
  return { seed, random: () => mulberry(() => (state = (state + 0x6d2b79f5) >>> 0)) };
}

/** A whole number from 0 (inclusive) to `bound` (exclusive). */
export function numberBelow(random: () => number, bound: number): number {
  return Math.floor(random() * bound);
}

/** Mulberry32 by Tommy Ettinger (public domain): small, and good enough to choose test cases. */
function mulberry(next: () => number): number {
  let mixed = next();
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
}
