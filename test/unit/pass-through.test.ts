// A process that runs another in its place: to whoever started it, the two must not be told apart.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const module = fileURLToPath(new URL("../../runtime/cli/pass-through.js", import.meta.url));
const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** Starts a Node that runs `script` on another Node in its place. */
function start(script: string, ...args: string[]) {
  const outer = `import { passThrough } from ${JSON.stringify(module)};
    passThrough(process.execPath, ["-e", ${JSON.stringify(script)}, ...process.argv.slice(1)], process.env);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", outer, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  return child;
}

/** The child's next piece of output; the scripts here print one short line at a time. */
async function nextLine(child: ReturnType<typeof start>): Promise<string> {
  const [chunk] = await once(child.stdout, "data");
  return String(chunk).trim();
}

const answersSignals = `
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => { console.log("got " + signal); process.exit(signal === "SIGINT" ? 130 : 143); });
  }
  setInterval(() => {}, 1000);
  console.log("ready");`;

test.each([0, 1, 2, 3, 130, 143])("ends with the exit code %i when the other does", async (code) => {
  expect(await once(start(`process.exit(${code})`), "exit")).toEqual([code, null]);
});

test("hands its arguments over as they are", async () => {
  const child = start("console.log(JSON.stringify(process.argv.slice(1)))", "a b", "$HOME", "", "--", "ü");
  expect(JSON.parse(await nextLine(child))).toEqual(["a b", "$HOME", "", "--", "ü"]);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "passes %s on where no terminal does, and ends as the other decides to",
  async (signal) => {
    const child = start(answersSignals);
    expect(await nextLine(child)).toBe("ready");
    const ended = once(child, "exit");
    const answer = nextLine(child);
    child.kill(signal);
    expect(await answer).toBe(`got ${signal}`);
    expect(await ended).toEqual([signal === "SIGINT" ? 130 : 143, null]);
  },
);

test.each(["SIGTERM", "SIGKILL", "SIGINT"] as const)("ends by %s when the other was ended by it", async (signal) => {
  const child = start(`process.kill(process.pid, "${signal}"); setInterval(() => {}, 1000);`);
  expect(await once(child, "exit")).toEqual([null, signal]);
});
