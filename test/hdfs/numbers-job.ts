// The job of eight batches with its rows and its checkpoint in a folder of HDFS.
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { hdfsSink } from "../../connectors/hdfs/index.ts";
import { type NumbersJob, startNumbersJob } from "../contracts/numbers-job.ts";
import { newName, type TestFolder } from "./folder.ts";

const TIMEOUT_MS = 3_000;

/** Starts it; its rows are looked at past the code under test. */
export function startNumbers(folder: Pick<TestFolder, "urlOf" | "path" | "list" | "read">): NumbersJob {
  const name = newName("numbers");
  const out = `${name}-out`;
  return startNumbersJob({
    name,
    sink: hdfsSink({ url: folder.urlOf(out), compactAfterFiles: 3, timeoutMs: TIMEOUT_MS }),
    checkpoint: hdfsStore({ url: folder.urlOf("store"), timeoutMs: TIMEOUT_MS }),
    async numbers() {
      const names = (await folder.list(`${folder.path}/${out}`)).filter((file) => /^[0-9]/.test(file)).sort();
      const files = await Promise.all(names.map((file) => folder.read(`${folder.path}/${out}/${file}`)));
      const lines = files.flatMap((bytes) => bytes.toString().trimEnd().split("\n"));
      return lines.map((line) => JSON.parse(line).number);
    },
  });
}
