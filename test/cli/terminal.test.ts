// What a person at a terminal sees: the live line, kept apart from everything else that is written.
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { LiveArea } from "../../runtime/cli/live-area.ts";
import { Folder } from "./command.ts";
import { job, log } from "./sample-jobs.ts";

/** A terminal as wide as `columns` that keeps what is written to it. */
function terminal(columns: number) {
  let written = "";
  const stream = {
    isTTY: true,
    columns,
    rows: 5,
    write(text: string) {
      written += text;
      return true;
    },
  };
  const take = () => {
    const text = written;
    written = "";
    return text;
  };
  return { stream: stream as unknown as NodeJS.WriteStream, take };
}

const ERASE = "\r\u001b[2K";
const UP = "\u001b[1A";

test("the live lines are erased before anything else is written, and drawn again below it", () => {
  const { stream, take } = terminal(20);
  const area = new LiveArea(stream, terminal(20).stream);
  area.draw(["one", "x".repeat(40)]);
  expect(take()).toBe(`one\n${"x".repeat(18)}…`);
  stream.write("a log\n");
  expect(take()).toBe(`${ERASE}${UP}${ERASE}a log\n`);
  area.draw(["two"]);
  area.draw(["three"]);
  expect(take()).toBe(`two${ERASE}three`);
  area[Symbol.dispose]();
  expect(take()).toBe(ERASE);
  stream.write("after\n");
  expect(take()).toBe("after\n");
});

test("half a line of somebody else's is not drawn over", () => {
  const { stream, take } = terminal(20);
  const other = terminal(20);
  using area = new LiveArea(stream, other.stream);
  area.draw(["one"]);
  other.stream.write("half a li");
  expect(take()).toBe(`one${ERASE}`);
  area.draw(["two"]);
  expect(take()).toBe("");
  other.stream.write("ne\n");
  area.draw(["three"]);
  expect(take()).toBe("three");
});

/** Gives a command a terminal of its own (util-linux). */
const terminalCommand = "script";
const hasTerminal = spawnSync(terminalCommand, ["--version"]).status === 0;

test.skipIf(!hasTerminal)("on a terminal of 80 columns a line shows the progress, and nothing of it is left", () => {
  const launcher = fileURLToPath(new URL("../../runtime/cli/launch.js", import.meta.url));
  const row = "(() => { const end = Date.now() + 3; while (Date.now() < end); return { id: value.id }; })()";
  using folder = new Folder({ ...log(200), "job.ts": job({ row }) });
  const command = `stty cols 80 rows 24; '${process.execPath}' '${launcher}' start job.ts`;
  const seen = execFileSync(terminalCommand, ["-qec", command, "/dev/null"], {
    cwd: folder.path,
    encoding: "utf8",
    env: { ...process.env, TERM: "xterm", NO_COLOR: "", npm_config_user_agent: undefined },
  });
  const draws = seen.match(/evens: batch \d+ {2}[\d,]+ done {2}[\d,.]+\/s {2}lag [\d,]+/g) ?? [];
  expect(draws.length).toBeGreaterThan(3);
  expect(seen).not.toContain("complete:");
  expect(screenAfter(seen)).toEqual([
    "evens: starts as a new job (epoch 0)",
    "evens: done: nothing is left",
    expect.stringMatching(/^ {2}6 batches, 600 records in .* records\/s\)$/),
    "  300 rows to out, exactly-once",
    "Next:",
    "  runtime batches job.ts   what each batch read",
    "  runtime offsets job.ts   how far it is",
    "",
  ]);
});

/** The lines that are left on a terminal when this was written to it: knows only what a live area uses. */
function screenAfter(written: string): string[] {
  const lines = [""];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals are told with
  for (const [token] of written.matchAll(/\u001b\[2K|\u001b\[1A|\r|\n|[^\r\n\u001b]+/g)) {
    if (token === "\u001b[2K") lines[row] = "";
    else if (token === "\u001b[1A") row--;
    else if (token === "\n") lines[++row] ??= "";
    else if (token !== "\r") lines[row] += token;
  }
  return lines;
}
