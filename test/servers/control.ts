// Starts, stops and watches one server in a folder of its own. Every change is made under the folder's lock, so that
// several terminals and tests can ask at once; what is running is known by state.json and checked against the system
// (a stale pid is another process, or none). Only processes found that way are ever signalled.

import { type StdioOptions, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../runtime/errors.ts";
import { ensureCertificates } from "./certificates.ts";
import { lockFolder } from "./folder-lock.ts";
import { freePorts, isFree } from "./free-ports.ts";
import { freezeTree, identify, isAlive, killTree, signalProcess, thawTree } from "./processes.ts";
import { lastLines } from "./run-program.ts";
import type { Say } from "./say.ts";
import type { ProcessPlan, ServerKind } from "./server-kind.ts";
import { readState, type ServerState, type StartedProcess, writeState } from "./server-state.ts";
import { becomesSo, waitUntil } from "./wait-until.ts";

/** Kafka takes 5 s; on a machine that is busy with ten other things, six times as long. */
const readyWithinMs = 150_000;
const stoppedWithinMs = 30_000;
const killedWithinMs = 10_000;

/** Where a server lives and who is told what takes long. */
export interface ServerHome<Addresses extends object = object> {
  readonly kind: ServerKind<Addresses>;
  /** `.servers`: downloads and certificates, shared by all. Absolute. */
  readonly root: string;
  /** This server's own folder, below `root`. Absolute. */
  readonly folder: string;
  readonly say: Say;
}

export type ServerStatus = "running" | "stopped" | "died";

/** How the server is now; "died" when some of its processes ended without being told to. */
export function statusOf<Addresses extends object>(
  folder: string,
): { status: ServerStatus; state?: ServerState<Addresses> } {
  const state = readState<Addresses>(folder);
  if (state === undefined || state.processes.length === 0) return { status: "stopped" };
  return { status: state.processes.every(isAlive) ? "running" : "died", state };
}

/**
 * Starts the server unless it runs, and waits until it is ready. Its ports are those of the last time, if they are
 * still free; `wanted` sets some of them. Idempotent.
 * @returns what to connect with
 * @throws ConfigError a tool is missing, a wanted port is taken, or the server runs on others than those
 */
export async function startServer<Addresses extends object>(
  home: ServerHome<Addresses>,
  { wanted = {}, signal }: { wanted?: Readonly<Record<string, number>>; signal: AbortSignal },
): Promise<Addresses> {
  const { kind, root, folder, say } = home;
  await using _lock = await lockFolder(folder, say, signal);
  const { status, state } = statusOf<Addresses>(folder);
  if (status === "running" && state) {
    refuseOtherPorts(kind, state, wanted);
    return state.addresses;
  }
  if (state) await endAll(folder, state, signal);
  await mkdir(folder, { recursive: true });
  const certificates = await ensureCertificates(root, say, signal);
  const known = readState(folder);
  const ports = await choosePorts(kind, known?.ports ?? {}, wanted);
  const password = known?.password ?? randomBytes(12).toString("hex");
  const place = { root, folder, ports, password, certificates };
  const { processes, addresses } = await kind.prepare(place, say, signal);
  say(`Starting ${kind.name} …`);
  const started: StartedProcess[] = [];
  try {
    for (const plan of processes) {
      started.push(await spawnProcess(plan, folder));
      // Written before it is ready: whoever comes after a crash of ours must find it.
      await writeState(folder, { ports, password, addresses, processes: started });
      await waitUntilReady(plan, folder, started, signal);
    }
  } catch (error) {
    for (const process of started) killTree(process);
    await writeState(folder, { ports, password, addresses, processes: [] });
    throw error;
  }
  return addresses;
}

/** Asks the server to end in good order and waits for it; kills what has not ended within 30 s. Idempotent. */
export async function stopServer({ folder, say }: ServerHome, signal: AbortSignal): Promise<void> {
  await using _lock = await lockFolder(folder, say, signal);
  const state = readState(folder);
  if (state) await endAll(folder, state, signal);
}

/** Kills the server and removes its folder, with all data. Idempotent. */
export async function removeServer(home: ServerHome, signal: AbortSignal): Promise<void> {
  await killServer(home, signal);
  const data = await realpath(join(home.folder, "data")).catch(() => undefined);
  if (data !== undefined) await rm(data, { recursive: true, force: true }); // it may lie elsewhere
  await rm(home.folder, { recursive: true, force: true });
}

/**
 * Ends the server as a crash would (SIGKILL), or `only` one of its processes by name, and waits until what was killed
 * is gone. Idempotent.
 */
export async function killServer({ folder, say }: ServerHome, signal: AbortSignal, only?: string): Promise<void> {
  await using _lock = await lockFolder(folder, say, signal);
  const state = readState(folder);
  if (!state) return;
  const isMeant = ({ name }: StartedProcess) => only === undefined || name === only;
  const killed = state.processes.filter(isMeant).flatMap(killTree);
  await waitUntil(() => !killed.some(isAlive), { what: `${folder} is killed`, withinMs: killedWithinMs, signal });
  await writeState(folder, { ...state, processes: state.processes.filter((process) => !isMeant(process)) });
}

/**
 * Freezes the server (SIGSTOP), or `only` one of its processes by name: connections stay open, and nothing is answered.
 * Idempotent.
 */
export function pauseServer({ folder }: ServerHome, only?: string): void {
  for (const process of readState(folder)?.processes ?? []) {
    if (only === undefined || process.name === only) freezeTree(process);
  }
}

/** Lets a frozen server go on. Idempotent. */
export function resumeServer({ folder }: ServerHome): void {
  for (const process of readState(folder)?.processes ?? []) thawTree(process);
}

async function endAll(folder: string, state: ServerState, signal: AbortSignal): Promise<void> {
  for (const process of [...state.processes].reverse()) {
    signalProcess(process, process.stopSignal);
    thawTree(process); // a frozen one would never hear of it
    const hasEnded = await becomesSo(() => !isAlive(process), { withinMs: stoppedWithinMs, signal });
    if (!hasEnded) killTree(process);
  }
  await writeState(folder, { ...state, processes: [] });
}

function refuseOtherPorts(kind: ServerKind, state: ServerState, wanted: Readonly<Record<string, number>>): void {
  for (const [name, port] of Object.entries(wanted)) {
    if (state.ports[name] === port) continue;
    throw new ConfigError(`${kind.name} is running already, with ${name} on port ${state.ports[name]}, not ${port}`, {
      hint: `npm run servers -- stop ${kind.name}`,
    });
  }
}

async function choosePorts(
  kind: ServerKind,
  known: Readonly<Record<string, number>>,
  wanted: Readonly<Record<string, number>>,
): Promise<Record<string, number>> {
  const chosen: Record<string, number> = {};
  for (const name of kind.ports) {
    const asked = wanted[name];
    if (asked !== undefined && !(await isFree(asked))) {
      throw new ConfigError(`port ${asked}, wanted for ${kind.name}, is taken`, { hint: "give another, or none" });
    }
    const port = asked ?? known[name];
    const isUsable = port !== undefined && (asked !== undefined || (await isFree(port)));
    chosen[name] = isUsable ? port : await anotherPort(Object.values({ ...chosen, ...wanted }));
  }
  return chosen;
}

async function anotherPort(taken: readonly number[]): Promise<number> {
  const found = (await freePorts(taken.length + 1)).find((port) => !taken.includes(port));
  if (found === undefined) throw new Error("there is no free port");
  return found;
}

function logOf(folder: string, name: string): string {
  return join(folder, `${name}.log`);
}

async function spawnProcess(plan: ProcessPlan, folder: string): Promise<StartedProcess> {
  const log = openSync(logOf(folder, plan.name), "w", 0o600);
  try {
    // Detached: a process group of its own, so that Ctrl-C in a terminal is not for it.
    const stdio: StdioOptions = ["ignore", log, log];
    const child = spawn(plan.file, plan.args, { cwd: plan.cwd, detached: true, stdio, ...plan.runAs });
    await once(child, "spawn");
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (!identity) throw new Error(`${plan.name} ended at once:\n${logEnd(folder, plan)}`);
    return { ...identity, name: plan.name, stopSignal: plan.stopSignal };
  } finally {
    closeSync(log);
  }
}

function logEnd(folder: string, { name }: ProcessPlan): string {
  return `${lastLines(readFileSync(logOf(folder, name), "utf8"), 20)}\n(${logOf(folder, name)})`;
}

async function waitUntilReady(
  plan: ProcessPlan,
  folder: string,
  started: readonly StartedProcess[],
  signal: AbortSignal,
): Promise<void> {
  const isReady = async () => {
    if (!started.every(isAlive)) throw new Error(`${plan.name} ended:\n${logEnd(folder, plan)}`);
    return await plan.isReady(signal).catch((error) => {
      if (error instanceof ConfigError) throw error; // asking again would not help
      return false;
    });
  };
  await waitUntil(isReady, { what: `${plan.name} is ready`, withinMs: readyWithinMs, everyMs: 100, signal });
}
