// Rows through the sink as the runtime would write them, one batch at a time, without a runtime.
import { postgresSink } from "../../connectors/postgres/index.ts";
import type { Sink } from "../../runtime/index.ts";
import { newName } from "./database.ts";

type Options = Parameters<typeof postgresSink>[0];

/** Writes batches of rows one after the other with one sink. */
export async function writeRows(options: Options, ...batches: readonly (readonly object[])[]): Promise<void> {
  const sink: Sink<object> = postgresSink(options as never);
  const { signal } = new AbortController();
  const lineageId = newName("lineage");
  const context = { jobName: "rows", baseDir: ".", warn: () => undefined, lineageId, epoch: 0n };
  await using writer = await sink.open(context, signal);
  for (const [batchId, rows] of batches.entries()) {
    const batch = { jobName: "rows", lineageId, batchId, planHash: "plan", ranges: [], signal };
    const write = await writer.begin(batch);
    if (write === "already-written") throw new Error("nobody else writes this lineage");
    await using open = write;
    const encoder = sink.encoder();
    for (const row of rows) encoder.add(row);
    const encoded = encoder.take();
    if (encoded !== undefined) await open.write(encoded);
    await open.commit();
  }
}
