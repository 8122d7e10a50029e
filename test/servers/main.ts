// `npm run servers -- start NAME… | stop [NAME…] | status | env`: real servers for trying things out. What they are
// reached by is printed as JSON on stdout, everything else on stderr. Every command may be given twice, and in
// several terminals. Exit codes: 0 done, 1 a server failed, 2 a wrong command or a missing tool.
import { join } from "node:path";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ConfigError } from "../../runtime/errors.ts";
import { allServers } from "./all-servers.ts";
import { type ServerHome, startServer, statusOf, stopServer } from "./control.ts";
import { serversRoot } from "./repository.ts";
import { removeAbandonedRuns } from "./run-folder.ts";
import type { ServerKind } from "./server-kind.ts";

/** By server, by name of the port. */
type WantedPorts = ReadonlyMap<string, Readonly<Record<string, number>>>;

const names = allServers.map(({ name }) => name).join(", ");
const portPattern = /^(?<server>[a-z0-9]+)(\.(?<port>[a-z-]+))?=(?<digits>\d+)$/;
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => stopping.abort(new Error(`stopped by ${signal}`)));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function kindCalled(name: string): ServerKind {
  const kind = allServers.find((known) => known.name === name);
  if (!kind) throw new InvalidArgumentError(`There is no server ${name}; there are ${names}.`);
  return kind;
}

function collectKinds(name: string, earlier: readonly ServerKind[] = []): readonly ServerKind[] {
  return [...earlier, kindCalled(name)];
}

/** `kafka=9092` is the first port of Kafka, `kafka.tls=9093` the one called tls. */
function collectPorts(text: string, earlier: WantedPorts): WantedPorts {
  const { server = "", port, digits = "" } = portPattern.exec(text)?.groups ?? {};
  if (Number(digits) < 1 || Number(digits) > 65_535) {
    throw new InvalidArgumentError("Write NAME=PORT or NAME.LISTENER=PORT, such as kafka=9092 or kafka.tls=9093.");
  }
  const kind = kindCalled(server);
  const name = port ?? kind.ports[0] ?? "";
  if (!kind.ports.includes(name)) {
    throw new InvalidArgumentError(`${server} has no port ${name}; it has ${kind.ports.join(", ")}.`);
  }
  return new Map([...earlier, [server, { ...earlier.get(server), [name]: Number(digits) }]]);
}

function homeOf(kind: ServerKind): ServerHome {
  return { kind, root: serversRoot, folder: join(serversRoot, "try", kind.name), say };
}

function print(answers: readonly (readonly [name: string, answer: unknown])[]): void {
  process.stdout.write(`${JSON.stringify(Object.fromEntries(answers), null, 2)}\n`);
}

async function start(kinds: readonly ServerKind[], { port }: { port: WantedPorts }): Promise<void> {
  const { signal } = stopping;
  const startOne = async (kind: ServerKind) =>
    [kind.name, await startServer(homeOf(kind), { wanted: port.get(kind.name) ?? {}, signal })] as const;
  // Each of them ends as it may, or one that failed would leave the others' processes half started.
  const outcomes = await Promise.allSettled([...new Set(kinds)].map(startOne));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
  print(outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])));
}

async function stop(kinds: readonly ServerKind[]): Promise<void> {
  const chosen = kinds.length > 0 ? kinds : allServers;
  await removeAbandonedRuns(serversRoot, stopping.signal);
  await Promise.all(chosen.map((kind) => stopServer(homeOf(kind), stopping.signal)));
  print(chosen.map(({ name }) => [name, { status: "stopped" }]));
}

function status(): void {
  print(
    allServers.map((kind) => {
      const { status, state } = statusOf(homeOf(kind).folder);
      if (status !== "running" || !state) return [kind.name, { status }];
      const processes = Object.fromEntries(state.processes.map(({ name, pid }) => [name, pid]));
      return [kind.name, { status, processes, ...state.addresses }];
    }),
  );
}

/** For a shell's `eval`. */
function env(): void {
  for (const kind of allServers) {
    const { status, state } = statusOf(homeOf(kind).folder);
    if (status !== "running" || !state) continue;
    for (const [name, value] of Object.entries(kind.environment(state.addresses))) {
      process.stdout.write(`export ${name}='${value}'\n`);
    }
  }
}

const program = new Command("npm run servers --")
  .description(`Real servers on 127.0.0.1 for tests and for trying: ${names}.`)
  .exitOverride()
  .showSuggestionAfterError();
program
  .command("start")
  .description("start servers that are not running, wait until they are ready, print their addresses")
  .argument("<names...>", `which: ${names}`, collectKinds)
  .option("--port <name=port>", "a port instead of any that is free; may be repeated", collectPorts, new Map())
  .action(start);
program
  .command("stop")
  .description("stop servers (all of them unless named), and what killed test runs left; the data stay")
  .argument("[names...]", `which: ${names}`, collectKinds, [])
  .action(stop);
program.command("status").description("print what is running, and its addresses").action(status);
program.command("env").description("print how the example jobs find what is running, for a shell's eval").action(env);

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const hint = error instanceof ConfigError && error.hint !== undefined ? `\nType: ${error.hint}` : "";
    say(`${error instanceof Error ? error.message : String(error)}${hint}`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  }
}
