// Runs a command to its end and measures it from outside, with all processes that it starts: wall time, CPU time, peak
// memory. The tree is looked at ten times a second; the system's own sum for children that have ended is taken where
// it is larger. Linux only (proc(5)).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { identify, killTree } from "../../servers/processes.ts";
import { lastLines } from "../../servers/run-program.ts";
import type { Command } from "./contestant.ts";

/** Fixed on Linux for all that is reported in /proc. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const LOOK_EVERY_MS = 100;
/** Children are looked for less often: it means to read about every process of the machine. */
const CHILDREN_EVERY_LOOKS = 5;

export interface MeasuredProcess {
  /** Milliseconds since 1970. */
  readonly spawnedAtMs: number;
  readonly exitedAtMs: number;
  /** User and system, all processes together. */
  readonly cpuSeconds: number;
  /** Resident memory of all processes together, at its peak. */
  readonly peakMb: number;
  readonly stdout: string;
}

interface Facts {
  readonly parent: number;
  readonly ticks: number;
  readonly pages: number;
}

export interface MeasureOptions {
  readonly cwd: string;
  readonly timeoutMs: number;
  /** Is told all that it has printed so far, whenever it prints more. */
  readonly onStdout?: (printed: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs `command` in `cwd`.
 * @throws Error it failed, or took longer than `timeoutMs` and was killed
 */
export async function measureProcess(
  { file, args, env = {} }: Command,
  { cwd, timeoutMs, onStdout, signal }: MeasureOptions,
): Promise<MeasuredProcess> {
  const reapedBefore = reapedTicks();
  const spawnedAtMs = Date.now();
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close") as Promise<[number | null]>;
  const printed = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed.stdout += chunk;
    onStdout?.(printed.stdout);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    printed.stderr += chunk;
  });
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  const tree = new Tree(child.pid ?? 0);
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  let exitedAtMs = 0;
  const exited = ended.then(() => {
    exitedAtMs = Date.now();
  });
  while (exitedAtMs === 0 && !deadline.aborted) {
    tree.look();
    await Promise.race([exited, sleep(LOOK_EVERY_MS)]);
  }
  if (deadline.aborted && identity) killTree(identity);
  const [code] = await ended;
  signal.throwIfAborted();
  if (deadline.aborted) throw new Error(`it was killed after ${timeoutMs / 1000} s`);
  if (code !== 0) throw new Error(`exit ${code}:\n${lastLines(printed.stdout + printed.stderr, 20)}`);
  const cpuSeconds = Math.max(tree.ticks(), reapedTicks() - reapedBefore) / TICKS_PER_SECOND;
  const peakMb = tree.peakPages * (PAGE_BYTES / 2 ** 20);
  return { spawnedAtMs, exitedAtMs, cpuSeconds, peakMb, stdout: printed.stdout };
}

/** A process and all below it, over time. */
class Tree {
  readonly #members: Set<number>;
  readonly #ticks = new Map<number, number>();
  #looks = 0;
  peakPages = 0;

  constructor(root: number) {
    this.#members = new Set([root]);
  }

  look(): void {
    if (this.#looks++ % CHILDREN_EVERY_LOOKS === 0) this.#findChildren();
    let pages = 0;
    for (const pid of this.#members) {
      const facts = factsOf(pid);
      if (facts === undefined) continue;
      pages += facts.pages;
      this.#ticks.set(pid, facts.ticks);
    }
    this.peakPages = Math.max(this.peakPages, pages);
  }

  /** Those whose parent has ended meanwhile are known from before. */
  #findChildren(): void {
    const parents = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), factsOf(Number(name))?.parent ?? 0] as const);
    for (let known = 0; known < this.#members.size; ) {
      known = this.#members.size;
      for (const [pid, parent] of parents) if (this.#members.has(parent)) this.#members.add(pid);
    }
  }

  ticks(): number {
    return [...this.#ticks.values()].reduce((sum, ticks) => sum + ticks, 0);
  }
}

/** Undefined when it has ended. */
function factsOf(pid: number): Facts | undefined {
  const fields = statOf(`${pid}`);
  if (fields === undefined) return undefined;
  const [parent = 0, user = 0, system = 0, pages = 0] = [fields[1], fields[11], fields[12], fields[21]].map(Number);
  return { parent, ticks: user + system, pages };
}

/** What children of this process that have ended took, and theirs. */
function reapedTicks(): number {
  const fields = statOf("self") ?? [];
  return Number(fields[13] ?? 0) + Number(fields[14] ?? 0);
}

/** The fields after the name, which is in parentheses and may hold anything; the first is the state. */
function statOf(name: string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined; // it has ended
  }
}
