// What SIGINT and SIGTERM mean: the first asks to stop in good order, the second gives up what is in hand, and the
// third, or a few seconds after the second, ends the process whatever still hangs. Everything that was planned runs
// again at the next start.
import { systemClock } from "../clock.ts";
import { SIGNAL_CODES } from "./exit-codes.ts";

type SignalName = keyof typeof SIGNAL_CODES;

/** How long what was aborted may take to end by itself. */
const GRACE_MS = 5_000;

export interface StopHandlers {
  /** After the first signal. */
  readonly onStop: () => void;
  /** After the second. */
  readonly onAbort: () => void;
}

/** Listens for signals until it is disposed of. */
export class StopSignals implements Disposable {
  readonly #stop = new AbortController();
  readonly #abort = new AbortController();
  readonly #handlers: StopHandlers;
  readonly #listeners = new Map<SignalName, () => void>();
  #first: SignalName | undefined;

  constructor(handlers: StopHandlers) {
    this.#handlers = handlers;
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const listener = () => this.#receive(name);
      this.#listeners.set(name, listener);
      process.on(name, listener);
    }
  }

  /** Aborted by the first signal. */
  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** Aborted by the second. */
  get abort(): AbortSignal {
    return this.#abort.signal;
  }

  /** 130 or 143 by the first signal; undefined while there was none. */
  get exitCode(): number | undefined {
    return this.#first && SIGNAL_CODES[this.#first];
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }

  #receive(name: SignalName): void {
    if (this.#first === undefined) {
      this.#first = name;
      this.#handlers.onStop();
      this.#stop.abort(new Error(`stopped by ${name}`));
      return;
    }
    const exitCode = SIGNAL_CODES[this.#first];
    if (this.#abort.signal.aborted) process.exit(exitCode);
    systemClock.timer(GRACE_MS, () => process.exit(exitCode));
    this.#handlers.onAbort();
    this.#abort.abort(new Error(`aborted by ${name}`));
  }
}
