// A process in the simulated world: it can crash at any request, stand still for a while, and be told to stop. A
// crashed process gets no reply and fires no timer any more, so its code never goes on; what it had sent before may
// still land.
import type { Clock } from "../../runtime/clock.ts";
import type { CommitMode } from "../../runtime/contract/job.ts";
import type { FaultKind } from "./faults.ts";
import type { SimulatedWorld } from "./world.ts";

/** The world's beginning on the calendar, for entries and heartbeats. */
const EPOCH_MS = 1_800_000_000_000;

/** What was given up at a deadline may come to its end after the program has; it must not go on for ever. */
const MAX_REQUESTS_AFTER_END = 20;

/** One request to a server. `land` is its whole effect, done at once; what it throws is the server's refusal. */
export interface Request<T> {
  readonly name: string;
  /** Whether it changes anything: then a lost reply is an unknown outcome. */
  readonly changes: boolean;
  readonly signal: AbortSignal | undefined;
  readonly land: () => T;
}

type Reply<T> = { readonly value: T } | { readonly error: unknown };

export class SimulatedProcess {
  readonly name: string;
  readonly #world: SimulatedWorld;
  /** Stops after the batch in hand; gives up at once. */
  readonly #stop = new AbortController();
  readonly #abort = new AbortController();
  readonly #skewMs: number;
  #life: "running" | "frozen" | "crashed" = "running";
  #whenThawed: (() => void)[] = [];
  #requestsAfterEnd = 0;
  /** When the job that it runs commits. */
  commitMode: CommitMode = "batch";
  /** Whether it ever stood still. */
  wasFrozen = false;
  /** How the program ended; undefined while it runs, and for ever when it crashed. */
  outcome: Reply<unknown> | undefined;
  readonly clock: Clock;

  constructor(world: SimulatedWorld, name: string) {
    this.#world = world;
    this.name = name;
    this.#skewMs = world.random.between(-3_000, 3_000);
    this.clock = this.#makeClock();
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get abortSignal(): AbortSignal {
    return this.#abort.signal;
  }

  get hasCrashed(): boolean {
    return this.#life === "crashed";
  }

  get isFrozen(): boolean {
    return this.#life === "frozen";
  }

  /** Neither ended nor crashed. */
  get isAlive(): boolean {
    return this.outcome === undefined && this.#life !== "crashed";
  }

  stop(): void {
    this.whenAwake(() => this.#stop.abort(new Error("told to stop")));
  }

  abort(): void {
    this.whenAwake(() => this.#abort.abort(new Error("told to give up")));
  }

  crash(): void {
    this.#world.note(`${this.name} crashes`);
    this.#life = "crashed";
    this.#whenThawed = [];
  }

  /** Stands still until `thaw`; replies and timers wait. */
  freeze(): void {
    if (this.#life !== "running") return;
    this.#world.note(`${this.name} stands still`);
    this.#life = "frozen";
    this.wasFrozen = true;
  }

  thaw(): void {
    if (this.#life !== "frozen") return;
    this.#world.note(`${this.name} goes on`);
    this.#life = "running";
    for (const deliver of this.#whenThawed.splice(0)) this.#world.time.after(0, () => this.whenAwake(deliver));
  }

  /** Does something in this process: now, when it goes on, or never. */
  whenAwake(deliver: () => void): void {
    if (this.#life === "running") deliver();
    else if (this.#life === "frozen") this.#whenThawed.push(deliver);
  }

  /**
   * Sends a request and waits for its reply. Some requests cannot be given up; those reply whatever the signal says.
   */
  request<T>(request: Request<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { signal } = request;
      const canBeGivenUp = !this.#world.random.chance(0.2);
      let isSettled = false;
      const settle = (deliver: () => void) =>
        this.whenAwake(() => {
          if (isSettled) return;
          isSettled = true;
          signal?.removeEventListener("abort", giveUp);
          deliver();
        });
      const giveUp = () => settle(() => reject(signal?.reason));
      if (signal?.aborted) {
        giveUp();
        return;
      }
      if (canBeGivenUp) signal?.addEventListener("abort", giveUp, { once: true });
      const reply = (result: Reply<T>) =>
        settle(() => ("error" in result ? reject(result.error) : resolve(result.value)));
      this.whenAwake(() => {
        if (!isSettled) this.#send(request, reply);
      });
    });
  }

  #send<T>(request: Request<T>, reply: (result: Reply<T>) => void): void {
    const { random, time } = this.#world;
    if (this.outcome !== undefined && ++this.#requestsAfterEnd === MAX_REQUESTS_AFTER_END) {
      this.#world.violate(`${this.name} has ended, but goes on asking: ${request.name}`);
    }
    const kind = this.#world.faults(request.name, this.name);
    this.#world.note(`${this.name} ${request.name}${kind === "none" ? "" : `: ${kind}`}`);
    const fast = () => random.between(1, 20);
    const slow = () => random.between(1_000, 60_000);
    const land = (ms: number, then: (result: Reply<T>) => void = () => {}) =>
      time.after(ms, () => then(this.#land(request)));
    const normally = () => land(fast(), (result) => time.after(fast(), () => reply(result)));
    const { TransientError, OutcomeUnknownError } = this.#world.runtime;
    const lost = () => {
      const message = `the reply to ${request.name} was lost`;
      reply({ error: request.changes ? new OutcomeUnknownError(message) : new TransientError(message) });
    };
    const faults: Record<FaultKind, () => void> = {
      none: normally,
      "slow-landing": () => land(slow(), (result) => time.after(fast(), () => reply(result))),
      "slow-reply": () => land(fast(), (result) => time.after(slow(), () => reply(result))),
      refused: () => time.after(fast(), () => reply({ error: new TransientError(`${request.name} was refused`) })),
      "crash-before": () => this.crash(),
      "crash-in-flight": () => {
        this.crash();
        land(random.chance(0.5) ? fast() : slow());
      },
      "crash-after": () => land(fast(), () => this.crash()),
      "lost-landed": () => land(fast(), () => time.after(fast(), lost)),
      "lost-late": () => {
        time.after(fast(), lost);
        land(slow());
      },
      "lost-never": () => time.after(fast(), lost),
      "freeze-before": () => {
        this.#freezeFor(slow());
        this.whenAwake(normally);
      },
      "freeze-after": () =>
        land(fast(), (result) => {
          this.#freezeFor(slow());
          reply(result);
        }),
    };
    faults[kind]();
  }

  #land<T>(request: Request<T>): Reply<T> {
    try {
      const value = request.land();
      this.#world.note(`  ${this.name} ${request.name} lands`);
      return { value };
    } catch (error) {
      this.#world.note(`  ${this.name} ${request.name} lands and fails: ${String(error)}`);
      return { error };
    }
  }

  #freezeFor(ms: number): void {
    this.freeze();
    if (this.#world.thawsByItself) this.#world.time.after(ms, () => this.thaw());
  }

  #makeClock(): Clock {
    const { time, random } = this.#world;
    return {
      now: () => EPOCH_MS + time.nowMs + this.#skewMs,
      elapsed: () => time.nowMs,
      random: () => random.fraction(),
      timer: (ms, fire) => time.after(ms, () => this.whenAwake(fire)),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal.aborted) {
            reject(signal.reason);
            return;
          }
          const giveUp = () => {
            timer.cancel();
            reject(signal.reason);
          };
          const timer = time.after(ms, () =>
            this.whenAwake(() => {
              signal.removeEventListener("abort", giveUp);
              resolve();
            }),
          );
          signal.addEventListener("abort", giveUp, { once: true });
        }),
    };
  }
}
