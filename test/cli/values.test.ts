// The pure parts of the command line: what is typed becomes values, and values become text.
import { expect, test } from "vitest";
import { commandLine, hintToType } from "../../runtime/cli/command-names.ts";
import { worstOf } from "../../runtime/cli/exit-codes.ts";
import { formatDuration, formatRate, formatTime } from "../../runtime/cli/format.ts";
import { toJson } from "../../runtime/cli/json-output.ts";
import {
  parseBatches,
  parseDuration,
  parseOffsets,
  parseRange,
  parseShift,
  parseTime,
  parseTrigger,
} from "../../runtime/cli/parse-values.ts";
import { printable, printableMessage, wrap } from "../../runtime/cli/printable.ts";
import { tableLines } from "../../runtime/cli/table.ts";

const now = Date.UTC(2026, 10, 24, 18, 0, 0);

test.each([
  ["2026-11-24", Date.UTC(2026, 10, 24)],
  ["2026-11-24T18:30", Date.UTC(2026, 10, 24, 18, 30)],
  ["2026-11-24 18:30:05", Date.UTC(2026, 10, 24, 18, 30, 5)],
  ["2026-11-24T18:30:05.250Z", Date.UTC(2026, 10, 24, 18, 30, 5, 250)],
  ["2026-11-24T18:30+02:00", Date.UTC(2026, 10, 24, 16, 30)],
  ["2026-11-24T18:30-0530", Date.UTC(2026, 10, 25, 0, 0)],
  ["1795543200000", 1795543200000],
  ["30m", now - 1_800_000],
  ["1h30m ago", now - 5_400_000],
])("the time %s is understood, in UTC", (text, ms) => {
  expect(parseTime(text, "--since", now)).toBe(ms);
});

test.each(["yesterday", "2026-13-01", "2026-02-31x", "1795543200", "18:30", "", "-5m"])(
  "the time %j is refused",
  (text) => {
    expect(() => parseTime(text, "--since", now)).toThrow(/^--since /);
  },
);

test("triggers are names or spans of time", () => {
  expect(parseTrigger("once")).toBe("once");
  expect(parseTrigger("available-now")).toBe("available-now");
  expect(parseTrigger("500ms")).toEqual({ intervalMs: 500 });
  expect(parseTrigger("1.5s")).toEqual({ intervalMs: 1_500 });
  for (const text of ["500", "0s", "", "hourly", "5 s"])
    expect(() => parseTrigger(text)).toThrow("--trigger cannot be");
  expect(parseDuration("1d2h")).toBe(93_600_000);
});

test("batches, ranges and offsets are read exactly, topics with colons too", () => {
  expect(parseBatches("3")).toEqual({ from: 3, to: 3 });
  expect(parseBatches("3..7")).toEqual({ from: 3, to: 7 });
  expect(() => parseBatches("3-7")).toThrow("--batches");
  const range = { topic: "a:b", partition: 2, fromOffset: 9007199254740993n, untilOffset: 9223372036854775807n };
  expect(parseRange("a:b:2:9007199254740993-9223372036854775807")).toEqual(range);
  for (const text of ["a:0:5-5", "a:0:5", "a:-1:0-5", "a:0:0-9223372036854775808"]) {
    expect(() => parseRange(text)).toThrow("--ranges");
  }
  const offsets = parseOffsets(["p:0=12", "p:1=0", "__proto__:0=1"]);
  expect(Object.entries(offsets)).toEqual([
    ["p", { 0: 12n, 1: 0n }],
    ["__proto__", { 0: 1n }],
  ]);
  expect(() => parseOffsets(["p:0=1", "p:0=2"])).toThrow("twice");
  expect(parseShift("+10")).toBe(10n);
  expect(parseShift("-10")).toBe(-10n);
  expect(() => parseShift("0")).toThrow("--shift-by");
});

test("text of others cannot move the cursor or fill the screen", () => {
  expect(printable("a\u001b[2Jb\tc\nd\u202e")).toBe("a\\u001b[2Jb c\nd\\u202e");
  const long = printableMessage(Array.from({ length: 100 }, () => "x".repeat(10_000)).join("\n"));
  expect(long.split("\n")).toHaveLength(13);
  expect(long.length).toBeLessThan(8_000);
  expect(long).toMatch(/… 88 more lines$/);
});

test("numbers, spans and rates are written as people read them", () => {
  expect([12, 950, 1_250, 59_400, 200_000, 7_500_000].map(formatDuration)).toEqual([
    "12 ms",
    "950 ms",
    "1.3 s",
    "59 s",
    "3 min 20 s",
    "2 h 5 min",
  ]);
  expect(formatRate(1_234_567, 1_000)).toBe("1,230,000/s");
  expect(formatRate(0, 1_000)).toBeUndefined();
  expect(formatTime(now)).toBe("2026-11-24 18:00:00");
});

test("spans are never written with 60 of a unit", () => {
  expect([999.7, 9_970, 59_700, 119_700, 3_599_700, 7_199_000].map(formatDuration)).toEqual([
    "1.0 s",
    "10 s",
    "1 min 0 s",
    "2 min 0 s",
    "1 h 0 min",
    "2 h 0 min",
  ]);
});

test("JSON has offsets as strings and every field", () => {
  expect(toJson({ lag: 2n ** 60n, gone: undefined, list: [1n] }, { indent: false })).toBe(
    '{"lag":"1152921504606846976","gone":null,"list":["1"]}',
  );
});

test("a table is as wide as its terminal, its last column cut", () => {
  const columns = [
    { title: "n", align: "end" },
    { title: "what", align: "start" },
  ] as const;
  const rows = [
    ["10", "a\u001bb"],
    ["7", "x".repeat(50)],
  ];
  expect(tableLines(columns, rows, { width: 20, isStyled: false })).toEqual([
    " n  what",
    "10  a\\u001bb",
    ` 7  ${"x".repeat(15)}…`,
  ]);
  expect(wrap("one two three", 8)).toEqual(["one two", "three"]);
});

test("a command to type shows no password", () => {
  const typed = commandLine("start", "job.ts", "--checkpoint", "postgres://app:geheim@db/app");
  expect(typed).toMatch(/--checkpoint 'postgres:\/\/app:\*\*\*@db\/app'$/);
  const hint = hintToType("runtime doctor job.ts", ["job.ts", "--checkpoint", "zookeeper://u:geheim@zk:2181/x"]);
  expect(hint).not.toContain("geheim");
});

test("commands to type are quoted, and hints name the job that was typed", () => {
  expect(commandLine("start", "my jobs/it's.ts")).toMatch(/runtime start 'my jobs\/it'\\''s\.ts'$/);
  const args = ["jobs/a.ts", "--checkpoint", "file:kept"];
  expect(hintToType("or: runtime reset job.ts --to-earliest", args)).toMatch(
    /^or: (npx )?runtime reset jobs\/a\.ts --checkpoint file:kept --to-earliest$/,
  );
});

test("of several exit codes the worst counts", () => {
  expect(worstOf([])).toBe(0);
  expect(worstOf([0, 130, 0])).toBe(130);
  expect(worstOf([130, 3, 0])).toBe(3);
  expect(worstOf([3, 2, 1, 143])).toBe(1);
});
