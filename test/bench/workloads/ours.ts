// Tidemark as it takes part: a job file of jobs/ by `runJob`, in a process of its own.
import { fileURLToPath } from "node:url";
import type { Contestant } from "./contestant.ts";

const program = fileURLToPath(new URL("job-program.ts", import.meta.url));

export interface OurVariant {
  /** Of jobs/, without its extension. */
  readonly job: string;
  readonly label: string;
  /** Default 1. */
  readonly threads?: number;
  /** What the job reads from the environment besides where everything is. */
  readonly env?: Readonly<Record<string, string>>;
}

/** One way to run one of our jobs. */
export function ours({ job, label, threads = 1, env = {} }: OurVariant): Contestant {
  const file = fileURLToPath(new URL(`../jobs/${job}.ts`, import.meta.url));
  return {
    name: "tidemark",
    label,
    side: "ours",
    prepare: async () => (run) => ({
      file: process.execPath,
      args: [program, file, run.folder, `${threads}`],
      env: {
        ...env,
        KAFKA_BROKERS: run.brokers,
        DATABASE_URL: run.database,
        BENCH_TOPIC: run.topic,
        BENCH_OUTPUT: run.output,
        BENCH_BATCH: `${run.batch}`,
        BENCH_NAME: run.name,
      },
    }),
  };
}
