// kcat (C, librdkafka), whose output is counted by `wc`.
import { existsSync } from "node:fs";
import { ConfigError } from "../../../runtime/index.ts";
import { mustRun, runProgram } from "../../servers/run-program.ts";
import type { Contestant, Tools } from "../workloads/contestant.ts";

const installHint = "apt-get install kcat (Debian, Ubuntu), or: brew install kcat";
/** A mirror that does not answer must not hold up the rest. */
const INSTALL_TIMEOUT_MS = 120_000;

/** kcat, for W0. It says nothing of its phases. */
export const kcat: Contestant = {
  name: "kcat",
  label: "kcat (C, librdkafka)",
  side: "peer",
  async prepare(tools) {
    await ensureKcat(tools);
    return ({ brokers, topic }) => ({
      file: "sh",
      args: ["-c", 'kcat -C -q -e -o beginning -D "" -b "$1" -t "$2" | wc -c', "sh", brokers, topic],
    });
  },
  // It prints bytes only: that they are all there says that the records are.
  read: (stdout, { records }) => ({ digest: { records, bytes: Number(stdout.trim()) } }),
};

async function ensureKcat({ say, signal }: Tools): Promise<void> {
  const isThere = () => runProgram("kcat", ["-V"], { installHint, signal }).then(({ exitCode }) => exitCode === 0);
  const missing = await isThere().catch((error) => error);
  if (missing === true) return;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) throw missing;
  say("Installing Debian's package kcat …");
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(INSTALL_TIMEOUT_MS)]);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const args = ["install", "-y", "--no-install-recommends", "kcat"];
  await mustRun("apt-get", args, { installHint, signal: bounded, env }).catch((cause) => {
    throw new ConfigError("kcat cannot be installed", { hint: installHint, cause });
  });
}
