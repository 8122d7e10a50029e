// An operator for promises per record: bounded and ordered. Inside a job it holds the source back while it is full,
// which `concatMap(async …)` cannot: that one buffers the whole batch.
import { Observable, type OperatorFunction } from "rxjs";
import { currentGate } from "./engine/gate.ts";
import { ConfigError } from "./errors.ts";

export interface MapAsyncOptions {
  /** Calls of `fn` that run at the same time at most; ≥ 1. */
  readonly concurrency: number;
}

interface Slot<Out> {
  value: Out | undefined;
  isDone: boolean;
}

/**
 * Maps each value by an async function, `concurrency` at a time, and emits the results in the order of the input. The
 * first rejection is the stream's error. Outside of a job nothing can hold the source back, and what comes too fast
 * is buffered.
 * @throws ConfigError concurrency is not a whole number of at least 1
 */
export function mapAsync<In, Out>(
  { concurrency }: MapAsyncOptions,
  fn: (value: In) => Promise<Out> | Out,
): OperatorFunction<In, Out> {
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new ConfigError(`mapAsync's concurrency must be a whole number of at least 1, not ${concurrency}`);
  }
  return (source$) =>
    new Observable<Out>((subscriber) => {
      const gate = currentGate();
      const waiting: In[] = [];
      const slots: Slot<Out>[] = [];
      let running = 0;
      let isClosing = false;
      let isComplete = false;

      const emitReady = () => {
        while (slots[0]?.isDone) subscriber.next(slots.shift()?.value as Out);
        if (isComplete && slots.length === 0 && waiting.length === 0) subscriber.complete();
      };
      const holdBack = () => {
        // Finished results that wait for an earlier one count as well: they are memory, too.
        const isFull = slots.length >= concurrency;
        if (isFull === isClosing) return;
        isClosing = isFull;
        if (isFull) gate?.close();
        else gate?.open();
      };
      const start = (value: In) => {
        const slot: Slot<Out> = { value: undefined, isDone: false };
        slots.push(slot);
        running++;
        Promise.resolve()
          .then(() => fn(value))
          .then(
            (result) => {
              running--;
              slot.value = result;
              slot.isDone = true;
              emitReady();
              while (waiting.length > 0 && running < concurrency) start(waiting.shift() as In);
              holdBack();
            },
            (error: unknown) => subscriber.error(error),
          );
      };
      subscriber.add(
        source$.subscribe({
          next(value) {
            if (running < concurrency) start(value);
            else waiting.push(value);
            holdBack();
          },
          error: (error: unknown) => subscriber.error(error),
          complete() {
            isComplete = true;
            emitReady();
          },
        }),
      );
      subscriber.add(() => {
        if (isClosing) gate?.open();
        isClosing = false;
      });
    });
}
