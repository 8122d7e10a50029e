// What can go wrong with one request of a process to the world outside. A request travels, lands (its effect happens,
// all at once), and its reply travels back: whatever breaks before, between or after is one of these.
import type { Random } from "./random.ts";

export type FaultKind =
  | "none"
  /** It lands, or its reply comes, only after a long time. */
  | "slow-landing"
  | "slow-reply"
  /** An error, and nothing happened. */
  | "refused"
  /** The process ends before it sends, while the request is under way (which lands later), or when it has landed. */
  | "crash-before"
  | "crash-in-flight"
  | "crash-after"
  /** The reply is lost; the request has landed, lands later, or never does. */
  | "lost-landed"
  | "lost-late"
  | "lost-never"
  /** The process stands still before it sends, or when the request has landed; others go on meanwhile. */
  | "freeze-before"
  | "freeze-after";

export const FAULT_KINDS: readonly Exclude<FaultKind, "none">[] = [
  "slow-landing",
  "slow-reply",
  "refused",
  "crash-before",
  "crash-in-flight",
  "crash-after",
  "lost-landed",
  "lost-late",
  "lost-never",
  "freeze-before",
  "freeze-after",
];

/** Decides what happens to the next request. `name`: for example "store.append". */
export type Faults = (name: string, processName: string) => FaultKind;

export const noFaults: Faults = () => "none";

/** Every request goes wrong with some probability; which kinds there are at all differs from schedule to schedule. */
export function randomFaults(random: Random, probability: number): Faults {
  const kinds = FAULT_KINDS.filter(() => random.chance(0.6));
  const [first = "crash-in-flight", ...others] = kinds;
  return () => (random.chance(probability) ? random.pick(first, ...others) : "none");
}

/** Exactly one request goes wrong: number `index` of all, from 0. */
export function oneFault(kind: FaultKind, index: number): Faults {
  let count = 0;
  return () => (count++ === index ? kind : "none");
}

/** The first request with this name goes wrong, after `skip` others with it. */
export function faultAt(name: string, kind: FaultKind, skip = 0): Faults {
  let count = 0;
  return (called) => (called === name && count++ === skip ? kind : "none");
}
