// Who takes part in W5: Tidemark, with the program of `npm run bench -- latency`, and Spark.
import { fileURLToPath } from "node:url";
import { sparkLatency } from "../peers/spark/spark.ts";
import type { LatencyContestant } from "./latency.ts";

const job = fileURLToPath(new URL("../latency-job.ts", import.meta.url));

const ours: LatencyContestant = {
  name: "tidemark",
  label: "Tidemark, continuous",
  prepare: async () => {
    return ({ brokers, output, folder }, records, secondsAtMost) => ({
      file: process.execPath,
      args: [job, brokers, output, `${records}`, `${secondsAtMost}`, folder, ""],
    });
  },
};

export const latencyContestants: readonly LatencyContestant[] = [ours, sparkLatency];
