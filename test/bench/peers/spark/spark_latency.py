"""W5: what Spark Structured Streaming takes for small batches, back to back, with local[2] and a checkpoint in files.

Reads records {"id":…,"sentMs":…} from the end of the topic until there were as many as are wanted; prints the line
"ready" when the first batch could come, and at the end one line, RESULT and JSON: how long each record took from being
sent to its batch's entry in the commit log, and how long batches took. The first quarter of the records is left out.

    python spark_latency.py BROKERS TOPIC RECORDS SECONDS_AT_MOST FOLDER JARS
"""

import json
import sys
import time
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

brokers, topic, wanted, seconds, folder, jars = sys.argv[1:]
settings = {
    "spark.driver.extraClassPath": f"{jars}/*",
    "spark.driver.memory": "2g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.local.dir": folder,
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.streaming.numRecentProgressUpdates": "100000",
}
builder = SparkSession.builder.master("local[2]").appName("latency")
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")

sent = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", brokers)
    .option("subscribe", topic)
    .option("startingOffsets", "latest")
    .load()
    .select(F.from_json(F.col("value").cast("string"), "id LONG, sentMs DOUBLE").alias("sent"))
    .select("sent.sentMs")
)
seen = 0
sent_by_batch = {}


def note(rows, batch_id):
    global seen
    sent_by_batch[batch_id] = [row.sentMs for row in rows.collect()]
    seen += len(sent_by_batch[batch_id])


query = sent.writeStream.foreachBatch(note).option("checkpointLocation", f"{folder}/checkpoint").start()
deadline = time.time() + float(seconds)
while not query.lastProgress and time.time() < deadline:
    time.sleep(0.05)
print("ready", flush=True)
while seen < int(wanted) and time.time() < deadline and query.isActive:
    time.sleep(0.05)
last = max(sent_by_batch, default=-1)
# Its progress comes when it is in the commit log.
while all(progress["batchId"] < last for progress in query.recentProgress) and time.time() < deadline:
    time.sleep(0.05)
progress = {each["batchId"]: each for each in query.recentProgress if each["numInputRows"] > 0}
query.stop()

latencies, durations, before = [], [], 0
phases = {}
for batch_id in sorted(progress):
    rows = sent_by_batch.get(batch_id, [])
    before += len(rows)
    if before < int(wanted) / 4:
        continue
    began = datetime.fromisoformat(progress[batch_id]["timestamp"].replace("Z", "+00:00")).timestamp() * 1000
    took = progress[batch_id]["durationMs"]
    durations.append(took["triggerExecution"])
    for phase in ("walCommit", "commitOffsets"):
        phases.setdefault(phase, []).append(took.get(phase, 0))
    latencies += [began + took["triggerExecution"] - at for at in rows]
result = {"seen": seen, "batches": len(durations), "latenciesMs": latencies, "batchesMs": durations, "phasesMs": phases}
print(f"RESULT {json.dumps(result)}", flush=True)
spark.stop()
