// How the benchmarks say what they measured: medians with their ranges.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** `540 [528–598]` */
export function text({ median, min, max }: Spread): string {
  return `${median.toFixed(0)} [${min.toFixed(0)}–${max.toFixed(0)}]`;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
