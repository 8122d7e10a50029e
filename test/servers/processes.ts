// Processes as things that can be told apart: a pid alone may be another's by now, a pid with the moment of its start
// is not. Everything that ends or freezes a process takes such an identity, and touches nothing when it does not
// match.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Linux: clock ticks from boot to its start; elsewhere the time of its start, to the second. */
  readonly startedAt: string;
}

interface ProcessFacts {
  readonly parent: number;
  readonly startedAt: string;
}

/** A millisecond lies between two. */
const standsStillLooks = 2_000;
const hasProc = existsSync("/proc/self/stat");

/** What the system knows about a process that has not ended; a zombie has. */
function factsOf(pid: number): ProcessFacts | undefined {
  if (!hasProc) return factsByPs().get(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // proc(5): the name is in parentheses and may hold anything; after it state, ppid, …, and as the 22nd the start.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = "Z", parent = "0"] = fields;
    // A process whose first thread has ended is a zombie too, and while others of its threads live it holds its
    // sockets.
    const hasEnded = /[ZX]/.test(state) && Number(fields[17]) <= 1;
    return hasEnded ? undefined : { parent: Number(parent), startedAt: fields[19] ?? "" };
  } catch {
    return undefined; // gone
  }
}

function factsByPs(): Map<number, ProcessFacts> {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,state=,lstart="], { encoding: "utf8" }).split("\n");
  const found = new Map<number, ProcessFacts>();
  for (const line of lines) {
    const [pid, parent, state = "Z", ...start] = line.trim().split(/\s+/);
    if (!state.startsWith("Z")) found.set(Number(pid), { parent: Number(parent), startedAt: start.join("-") });
  }
  return found;
}

/** The identity of a process that runs now; undefined when none has this pid. */
export function identify(pid: number): ProcessIdentity | undefined {
  const facts = factsOf(pid);
  return facts && { pid, startedAt: facts.startedAt };
}

/** Whether this very process has not ended yet (a frozen one has not). */
export function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  return factsOf(pid)?.startedAt === startedAt;
}

function childrenOf(pids: ReadonlySet<number>): number[] {
  const all = hasProc
    ? readdirSync("/proc").flatMap((name) => {
        const facts = /^\d+$/.test(name) ? factsOf(Number(name)) : undefined;
        return facts ? [[Number(name), facts] as const] : [];
      })
    : [...factsByPs()];
  return all.filter(([pid, { parent }]) => pids.has(parent) && !pids.has(pid)).map(([pid]) => pid);
}

function treeOf(pid: number): number[] {
  const tree = new Set([pid]);
  for (let found = [pid]; found.length > 0; ) {
    found = childrenOf(tree);
    for (const child of found) tree.add(child);
  }
  return [...tree];
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Sends a signal to this process alone, if it is still there. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (isAlive(identity)) send(identity.pid, signal);
}

/** Freezes the process and all that it has started, and waits until they stand still. Idempotent. */
export function freezeTree(identity: ProcessIdentity): void {
  if (!isAlive(identity)) return;
  send(identity.pid, "SIGSTOP"); // first, so that it starts no more while its children are looked for
  const tree = treeOf(identity.pid);
  for (const pid of tree) send(pid, "SIGSTOP");
  // The signal is for one thread; on a busy machine the others go on answering until that one has its turn.
  for (let looks = 0; looks < standsStillLooks && !tree.every(standsStill); looks++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}

/** Whether each of its threads is stopped, or has ended; unknown without /proc. */
function standsStill(pid: number): boolean {
  if (!hasProc) return true;
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
      return /[TtZX]/.test(stat.charAt(stat.lastIndexOf(")") + 2));
    });
  } catch {
    return false; // a thread has just ended: look again
  }
}

/** Lets a frozen process and all that it has started go on. Idempotent. */
export function thawTree(identity: ProcessIdentity): void {
  if (!isAlive(identity)) return;
  for (const pid of treeOf(identity.pid)) send(pid, "SIGCONT");
}

/** Kills the process and all that it has started, at once. Answers with all of them, who may take a moment to end. */
export function killTree(identity: ProcessIdentity): ProcessIdentity[] {
  if (!isAlive(identity)) return [];
  send(identity.pid, "SIGSTOP");
  const killed = treeOf(identity.pid).flatMap((pid) => identify(pid) ?? []);
  for (const { pid } of killed) send(pid, "SIGKILL");
  return killed;
}
