// Parts that were opened one after the other, closed in reverse order, all of them even when one fails to close.
// (Node 22 has no AsyncDisposableStack.)

/** Collects parts to close. */
export class Opened implements AsyncDisposable {
  #parts: AsyncDisposable[] = [];
  #isClosed = false;

  /**
   * Takes charge of `part` and gives it back.
   * @throws when everything has been closed meanwhile (a deadline passed while the part was opened): it is closed too
   */
  use<T extends AsyncDisposable>(part: T): T {
    if (this.#isClosed) {
      Promise.resolve(part[Symbol.asyncDispose]()).catch(() => {});
      throw new Error("it was opened too late: what it belongs to has been closed");
    }
    this.#parts.push(part);
    return part;
  }

  /** Hands the charge of everything to a new collection; this one is empty then. */
  move(): Opened {
    const moved = new Opened();
    moved.#parts = this.#parts;
    this.#parts = [];
    return moved;
  }

  /** @throws the first failure, after everything has been tried */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const failures: unknown[] = [];
    for (const part of this.#parts.reverse()) {
      try {
        await part[Symbol.asyncDispose]();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#parts = [];
    if (failures.length > 0) throw failures[0];
  }
}
