// Who may take a log over, and where a copy may begin: decided from what the log says.
import { describe, expect, test } from "vitest";
import {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  FencedError,
  TransientError,
} from "../../runtime/errors.ts";
import {
  checkMayArrive,
  checkMayImport,
  checkMayTakeOver,
  newRunIdentity,
  type RunIdentity,
  replacedBy,
} from "../../runtime/journal/may-take-over.ts";
import type { JobState } from "../../runtime/journal/recover.ts";

const state = (change: Partial<JobState> = {}): JobState => ({
  jobName: "job",
  lineageId: "mine",
  head: 9n,
  epoch: 5n,
  runId: "another",
  writer: undefined,
  positions: [],
  nextBatchId: 2,
  inHand: undefined,
  lastCompletedAtMs: undefined,
  movedTo: undefined,
  isPartialCopy: false,
  ...change,
});
const known = { lineageId: "mine", head: 8n };
const run = (change: Partial<RunIdentity> = {}): RunIdentity => ({ ...newRunIdentity(), id: "me", ...change });

describe("a run may take over", () => {
  test("a log that is not there yet, and one whose epochs are all older than its own start", () => {
    expect(() => checkMayTakeOver(undefined, run())).not.toThrow();
    expect(() => checkMayTakeOver(state(), run())).not.toThrow();
  });

  test("after its own last term, and after a term of which it never learned that it had begun", () => {
    expect(() => checkMayTakeOver(state({ runId: "me" }), run({ known, newestEpoch: 5n }))).not.toThrow();
    expect(() => checkMayTakeOver(state({ runId: "me" }), run({ known, newestEpoch: 2n }))).not.toThrow();
    expect(() => checkMayTakeOver(undefined, run({ newestEpoch: 0n }))).not.toThrow();
  });
});

describe("a run may not take over", () => {
  const cases: [string, JobState | undefined, RunIdentity, new (message: string) => Error][] = [
    ["when another run has begun since", state(), run({ known, newestEpoch: 2n }), FencedError],
    ["when another run has begun where it tried to", state(), run({ newestEpoch: 5n }), FencedError],
    ["when the log that it wrote is gone", undefined, run({ known, newestEpoch: 2n }), CheckpointMissingError],
    ["when another was begun in its place", state({ lineageId: "other" }), run({ known }), CheckpointMissingError],
    [
      "when an old copy was put back",
      state({ head: 7n, epoch: 1n }),
      run({ known, newestEpoch: 2n }),
      CheckpointMissingError,
    ],
    ["when the log tells no position", state({ positions: undefined }), run(), CheckpointCorruptError],
    ["where the job has moved away", state({ movedTo: "file:b" }), run(), ConfigError],
    ["where a copy was broken off", state({ isPartialCopy: true }), run(), ConfigError],
  ];
  test.each(cases)("%s", (_, seen, identity, expected) => {
    expect(() => checkMayTakeOver(seen, identity)).toThrow(expected);
  });
});

test("a term that is replaced by a later one of the same run is not fenced", () => {
  expect(replacedBy(state({ runId: "me" }), run())).toBeInstanceOf(TransientError);
  expect(replacedBy(state(), run())).toBeInstanceOf(FencedError);
});

describe("a copy may begin", () => {
  const copied = { lineageId: "mine", above: 20n };
  const may = (there: JobState | undefined) => () => checkMayArrive(there, copied, "file:b");

  test("where nothing is, where it was broken off before, and where an older part of its history was left", () => {
    expect(may(undefined)).not.toThrow();
    expect(may(state({ isPartialCopy: true }))).not.toThrow();
    expect(may(state({ movedTo: "file:a" }))).not.toThrow();
    expect(may(state({ lineageId: "another", head: 30n, movedTo: "file:c" }))).not.toThrow();
  });

  test("not over a checkpoint in use, another job's copy, or a newer part of its own history on its way", () => {
    expect(may(state())).toThrow(/already has a checkpoint/);
    expect(may(state({ isPartialCopy: true, lineageId: "another" }))).toThrow(/already has a checkpoint/);
    expect(may(state({ head: 21n, movedTo: "file:a" }))).toThrow(/newer checkpoint/);
  });
});

describe("an import may begin", () => {
  const writer = (purpose: "run" | "copy" | "import") => ({ kind: "begin", purpose, host: "h", pid: 1 }) as const;
  const may = (there: JobState | undefined) => () => checkMayImport(there, "file:b");

  test("where nothing is, and where an import was broken off before", () => {
    expect(may(undefined)).not.toThrow();
    expect(may(state({ isPartialCopy: true, writer: writer("import") }))).not.toThrow();
  });

  test("not over a checkpoint, one that has moved away, or a copy that was broken off", () => {
    expect(may(state({ writer: writer("import") }))).toThrow(/already has a checkpoint/);
    expect(may(state({ movedTo: "file:c" }))).toThrow(/already has a checkpoint/);
    expect(may(state({ isPartialCopy: true, writer: writer("copy") }))).toThrow(/already has a checkpoint/);
  });

  test("and what was broken off is refused to runs with the command that goes on", () => {
    for (const purpose of ["copy", "import"] as const) {
      const broken = state({ isPartialCopy: true, writer: writer(purpose) });
      const hint = `type the same runtime checkpoint ${purpose} again`;
      expect(() => checkMayTakeOver(broken, run())).toThrow(expect.objectContaining({ hint }));
    }
  });
});
