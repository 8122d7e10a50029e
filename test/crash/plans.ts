// A plan is for ever: the ranges that the tasks of a batch say they were given, compared from one life of a job to the
// next.

/** What several lives of one job said. */
export class Plans {
  readonly #rangeOf = new Map<string, string>();
  readonly #again = new Set<string>();

  /** Takes what one life said. @returns what is wrong with it, as sentences */
  add(stderr: string): string[] {
    const found: string[] = [];
    for (const [, batchId = "", partition, range = ""] of stderr.matchAll(/^@task (\d+) (\d+) (\d+ \d+)$/gm)) {
      const key = `batch ${batchId}, partition ${partition}`;
      const before = this.#rangeOf.get(key);
      if (before !== undefined) this.#again.add(batchId);
      if (before !== undefined && before !== range) found.push(`${key} had the range ${before} and has now ${range}`);
      this.#rangeOf.set(key, range);
    }
    return found;
  }

  get batchesThatRanAgain(): number {
    return this.#again.size;
  }
}
