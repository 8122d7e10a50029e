// How the benchmarks say what they measured: medians with their ranges.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? 0;
  const last = sorted.length - 1;
  // Of an even number of rounds the mean of the middle two, never the better one.
  const median = (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2;
  return { median, min: at(0), max: at(last) };
}

/** `540 [528–598]` */
export function text({ median, min, max }: Spread): string {
  return `${median.toFixed(0)} [${min.toFixed(0)}–${max.toFixed(0)}]`;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
