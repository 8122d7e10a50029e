// Runs another program in this one's place: same terminal, same signals, same way of ending. Plain JavaScript that any
// Node parses, because it runs before it is certain that this Node is new enough for anything else.
import { spawn } from "node:child_process";

/**
 * Runs `command`, passes signals on to it, and ends this process exactly as it ended: by its exit code or by its
 * signal. A terminal sends SIGINT to both processes by itself; passing it on as well would count as the second,
 * impatient one.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {void}
 */
export function passThrough(command, args, env) {
  const child = spawn(command, args, { stdio: "inherit", env });
  /** @type {NodeJS.Signals[]} */
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, passOn);

  child.on("error", (error) => {
    process.stderr.write(`${command} cannot be run: ${error.message}\n`);
    process.exit(2);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const each of signals) process.off(each, passOn);
    process.kill(process.pid, signal);
  });
}
