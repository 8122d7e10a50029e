// The job of eight batches with its rows in memory and its checkpoint in ZooKeeper.
import { zookeeperStore } from "../../checkpoints/zookeeper.ts";
import { memorySink } from "../../connectors/memory/index.ts";
import { type NumberRow, type NumbersJob, startNumbersJob } from "../contracts/numbers-job.ts";
import { newName } from "./ensemble.ts";

const CALL_TIMEOUT_MS = 1_000;

/** Starts it, with its checkpoint below `root`. */
export function startNumbers(servers: string, root: string): NumbersJob {
  const sink = memorySink<NumberRow>();
  return startNumbersJob({
    name: newName("numbers"),
    sink,
    checkpoint: zookeeperStore({ servers, root, callTimeoutMs: CALL_TIMEOUT_MS }),
    numbers: async () => sink.rows.map(({ number }) => number),
  });
}
