// The live lines of all jobs of this process, one a job, drawn anew about ten times a second while anything changes.
import { systemClock } from "../clock.ts";
import type { JobProgress } from "./job-progress.ts";
import type { LiveArea } from "./live-area.ts";

const DRAW_EVERY_MS = 100;

/** Draws until it is disposed of. */
export class LiveStatus implements Disposable {
  readonly #area: LiveArea;
  readonly #jobs = new Map<string, JobProgress>();
  #timer: { cancel(): void };

  constructor(area: LiveArea) {
    this.#area = area;
    this.#timer = this.#next();
  }

  add(name: string, progress: JobProgress): void {
    this.#jobs.set(name, progress);
  }

  remove(name: string): void {
    this.#jobs.delete(name);
    if (this.#jobs.size === 0) this.#area.erase();
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#area[Symbol.dispose]();
  }

  #next(): { cancel(): void } {
    return systemClock.timer(DRAW_EVERY_MS, () => {
      const lines = [...this.#jobs].map(([name, progress]) => `${name}: ${progress.status()}`);
      if (lines.length > 0) this.#area.draw(lines);
      this.#timer = this.#next();
    });
  }
}
