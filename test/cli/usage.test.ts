// What is typed wrong, and what --help says.
import { expect, test } from "vitest";
import { Folder, wideLines } from "./command.ts";

const commands = ["start", "batches", "offsets", "replay", "reset", "doctor", "checkpoint copy", "checkpoint import"];

test.concurrent("--help names every command in 80 columns, and none that does not work yet", async () => {
  using folder = new Folder();
  const { code, stdout, stderr } = await folder.runtime("--help");
  expect({ code, stderr, wide: wideLines(stdout) }).toEqual({ code: 0, stderr: "", wide: [] });
  for (const command of commands) expect(stdout).toContain(command.split(" ")[0]);
  expect(stdout).not.toMatch(/\bnew\b/);
});

test.concurrent.each(commands)("%s --help fits 80 columns and ends with an example", async (command) => {
  using folder = new Folder();
  const { code, stdout, stderr } = await folder.runtime(...command.split(" "), "--help");
  expect({ code, stderr, wide: wideLines(stdout) }).toEqual({ code: 0, stderr: "", wide: [] });
  expect(stdout).toMatch(new RegExp(`\nExamples?:\n  runtime ${command} `));
  expect(stdout).toMatch(/--json/);
  expect(stdout).not.toMatch(/--ui/);
});

const mistakes: [typed: string, message: string, hint: string][] = [
  ["stat job.ts", "unknown command 'stat'", "did you mean start?"],
  ["start job.ts --triger once", "unknown option '--triger'", "did you mean --trigger?"],
  ["start job.ts --ui", "unknown option '--ui'", "runtime start --help shows what there is"],
  ["start", "missing required argument 'job.ts'", "runtime start --help shows what there is"],
  ["start job.ts --trigger available", '--trigger cannot be "available"', "write continuous, once, available-now,"],
  ["start job.ts --log-format xml", "option '--log-format <format>' argument 'xml' is invalid", "runtime start --help"],
  ["checkpoint", "which command?", "runtime checkpoint --help"],
  ["checkpoint copy job --from memory:", "required option '--to <url>' not specified", "runtime checkpoint --help"],
  ["checkpoint import job", "required option '--from <place>' not specified", "runtime checkpoint --help"],
  ["checkpoint import job --from sperk:x", '--from "sperk:x" is no place to import from', "did you mean spark:?"],
  ["checkpoint import job --from spark:", "a Spark checkpoint is not read from", "write spark:DIR"],
  ["checkpoint import job --from spark:hdfs://n/x", "a Spark checkpoint is not read from", "write"],
  [
    "checkpoint import job --from kafka://h:9092",
    "the URL of a consumer group's offsets names one group",
    "write kafka://",
  ],
  ["checkpoint import job --from kafka://h?group=g", '"h" is no Kafka broker', "write host:port"],
  ["checkpoint import job --from zookeeper://h", "the URL does not name the path of a group", "write zookeeper://"],
  ["checkpoint import job --from hbase://h/t?group=g", "the URL of offsets in HBase needs a group and a t", "write hb"],
  ["replay job.ts", "which ranges are to be replayed?", "--batches 3..7"],
  ["replay job.ts --batches 1 --since 5m", "only one of these can be given", "--batches 3..7"],
  ["replay job.ts --batches 7..3", '--batches cannot be "7..3"', "write --batches 3..7"],
  ["replay job.ts --batches 1 --sink consol", '--sink cannot be "consol"', "did you mean console?"],
  ["replay --ranges a:0:1-2", "the job file is missing", "name it first: runtime replay job.ts"],
  ["reset job.ts", "where is the position to go?", "--to-earliest"],
  ["reset job.ts --to-earliest --to-latest", "only one target can be given", "--to-earliest"],
  ["batches job.ts --limit 0", '--limit cannot be "0"', "write a number from 1"],
];

test.concurrent.each(mistakes)("%s is told, with what to type, and exits with 2", async (typed, message, hint) => {
  using folder = new Folder();
  const { code, stdout, stderr } = await folder.runtime(...typed.split(" "));
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(`error: ${message}`);
  expect(stderr).toContain(`hint: ${hint}`);
  expect(stderr).not.toMatch(/^ +at /m);
});

test.concurrent("nothing typed shows the commands on stderr and exits with 2", async () => {
  using folder = new Folder();
  const { code, stdout, stderr } = await folder.runtime();
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("Commands:");
});

test.concurrent("--version names the package and its version", async () => {
  using folder = new Folder();
  const { code, stdout } = await folder.runtime("--version");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^tidemark \d+\.\d+\.\d+\n$/);
});
