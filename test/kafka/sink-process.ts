// A process with a Kafka sink of its own, for tests that kill and freeze it: writes batch after batch, and says before
// and after each commit where it stands. Its rows are the numbers from batchId × rows on.
//   node sink-process.ts BOOTSTRAP TOPIC EPOCH ROWS [STOP_BEFORE_COMMIT]
import { setTimeout as sleep } from "node:timers/promises";
import { kafkaSink } from "../../connectors/kafka/index.ts";
import { messageOf, TidemarkError } from "../../runtime/index.ts";
import { add, batchOf, openSink } from "./sink-batches.ts";

const [bootstrap = "", topic = "", epoch = "1", rowCount = "1000", stopBefore = "none"] = process.argv.slice(2);
const rows = Number(rowCount);
const sink = kafkaSink<never, number>({ brokers: [bootstrap], topic, recordBatchMaxBytes: 4096 });

const say = (line: string) => process.stdout.write(`${line}\n`);

try {
  await using writer = await openSink(sink, BigInt(epoch));
  say("open");
  for (let batchId = 0; ; batchId++) {
    const begun = await writer.begin(batchOf(batchId));
    if (begun === "already-written") continue;
    await using write = begun;
    const numbers = Array.from({ length: rows }, (_, at) => batchId * rows + at);
    await add(sink, write, numbers);
    say(`wrote ${batchId}`);
    // To be killed or frozen here; goes on when it is woken.
    if (stopBefore === String(batchId)) await sleep(5000);
    await write.commit();
    say(`committed ${batchId}`);
  }
} catch (error) {
  say(`failed ${error instanceof TidemarkError ? error.code : messageOf(error)}`);
  process.exitCode = 1;
}
