"""Makes the checkpoint folders in test/fixtures/spark with a real Spark and a real Kafka broker.

    python test/spark/make-fixtures.py BROKERS JARS OUT [SCENARIO...]

needs pyspark and the jars of test/spark/pom.xml (README.md in the fixtures' folder has the commands). Each scenario is
one streaming query in processes of its own: records are loaded, run, loaded again, and the query is stopped or killed.
What its sink wrote stands beside its checkpoint, so that an import can be compared with it. Nothing is edited
afterwards; files of Spark's state are left out but for the first few.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyspark

# Records to load before each batch: topic's suffix -> how many for each partition.
FIRST = {"payments": [7, 4, 0], "refunds": [2]}
SECOND = {"payments": [3, 0, 5]}
THIRD = {"payments": [2, 6, 0], "refunds": [3]}
V2 = {"spark.sql.streaming.offsetLog.formatVersion": "2"}

# "spark": the major version that makes it; 4 unless given.
SCENARIOS = {
    "stopped": {"batches": [FIRST, SECOND, THIRD]},
    "stopped-v2": {"batches": [FIRST, SECOND, THIRD], "conf": V2},
    "killed": {"batches": [FIRST, SECOND, THIRD], "kill": True},
    "killed-v2": {"batches": [FIRST, SECOND, THIRD], "kill": True, "conf": V2},
    "killed-in-first": {"batches": [FIRST], "kill": True, "start": [3, 4, 0]},
    "killed-in-first-v2": {"batches": [FIRST], "kill": True, "start": [3, 4, 0], "conf": V2},
    "pruned": {
        "batches": [FIRST, SECOND, THIRD, FIRST, SECOND, THIRD],
        "conf": {"spark.sql.streaming.minBatchesToRetain": "2"},
    },
    "grown": {"batches": [FIRST, SECOND, {"payments": [1, 0, 0, 4]}], "kill": True},
    "stopped-spark3": {"batches": [FIRST, SECOND, THIRD], "spark": 3},
    "killed-spark3": {"batches": [FIRST, SECOND, THIRD], "kill": True, "spark": 3},
    "stateful": {"batches": [FIRST, SECOND], "query": "stateful"},
    "two-sources": {"batches": [FIRST, SECOND], "query": "two-sources"},
}


def session(jars, conf):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.driver.extraClassPath", f"{jars}/*")
    settings = {
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.session.timeZone": "UTC",
        **conf,
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def have_partitions(spark, brokers, counts):
    """Makes topics, or gives them more partitions."""
    jvm = spark._jvm
    properties = jvm.java.util.Properties()
    properties.put("bootstrap.servers", brokers)
    admin = jvm.org.apache.kafka.clients.admin.Admin.create(properties)
    there = admin.listTopics().names().get()
    for topic, count in counts.items():
        if there.contains(topic):
            more = jvm.java.util.HashMap()
            more.put(topic, jvm.org.apache.kafka.clients.admin.NewPartitions.increaseTo(count))
            if admin.describeTopics([topic]).allTopicNames().get().get(topic).partitions().size() < count:
                admin.createPartitions(more).all().get()
        else:
            short = spark.sparkContext._gateway.jvm.Short.parseShort("1")
            admin.createTopics([jvm.org.apache.kafka.clients.admin.NewTopic(topic, count, short)]).all().get()
    admin.close()
    time.sleep(1)


def load(spark, brokers, prefix, counts):
    """Loads one record after the other, each saying which it is."""
    rows = []
    for suffix, partitions in counts.items():
        topic = f"{prefix}-{suffix}"
        for partition, count in enumerate(partitions):
            rows += [(topic, partition, f"{topic}:{partition}") for _ in range(count)]
    frame = spark.createDataFrame(rows, "topic string, partition int, value string").coalesce(1)
    frame.write.format("kafka").option("kafka.bootstrap.servers", brokers).save()


def records_of(spark, brokers, topics, start):
    stream = spark.readStream.format("kafka").option("kafka.bootstrap.servers", brokers)
    return stream.option("subscribe", ",".join(topics)).option("startingOffsets", start).load()


def child(name, brokers, jars, folder):
    scenario = SCENARIOS[name]
    batches = scenario["batches"]
    spark = session(jars, scenario.get("conf", {}))
    topics = {f"{name}-payments": 3, f"{name}-refunds": 1}
    have_partitions(spark, brokers, topics)
    start = "earliest"
    if "start" in scenario:
        offsets = {str(partition): offset for partition, offset in enumerate(scenario["start"])}
        start = json.dumps({f"{name}-payments": offsets, f"{name}-refunds": {"0": -2}})
    last = len(batches) - 1

    def write(frame, batch_id):
        # A batch that is to be killed gets no further than here: nothing of it is written.
        if scenario.get("kill") and batch_id == last:
            (folder / "in-last-batch").touch()
            time.sleep(600)
        rows = frame.select("topic", "partition", "offset").orderBy("topic", "partition", "offset").collect()
        with open(folder / "written.ndjson", "a") as out:
            out.writelines(json.dumps([batch_id, *row]) + "\n" for row in rows)

    query = scenario.get("query", "plain")
    if query == "two-sources":
        first, second = [records_of(spark, brokers, [topic], start) for topic in topics]
        writer = first.union(second).writeStream.foreachBatch(write)
    elif query == "stateful":
        counted = records_of(spark, brokers, topics, start).groupBy("topic").count()
        writer = counted.writeStream.outputMode("update").format("noop")
    else:
        writer = records_of(spark, brokers, topics, start).writeStream.foreachBatch(write)
    writer = writer.option("checkpointLocation", str(folder / "checkpoint")).trigger(availableNow=True)
    for counts in batches:
        have_partitions(spark, brokers, {f"{name}-{suffix}": len(partitions) for suffix, partitions in counts.items()})
        load(spark, brokers, name, counts)
        writer.start().awaitTermination()
    spark.stop()


def keep(made, kept):
    """The checkpoint and what was written; of the state only its first files."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for path in sorted(made.rglob("*")):
        relative = path.relative_to(made)
        if path.is_dir() or relative.parts[0] not in ("checkpoint", "written.ndjson"):
            continue
        is_state = len(relative.parts) > 1 and relative.parts[1] == "state"
        if is_state and len(list((kept / "checkpoint" / "state").rglob("*.*"))) >= 2:
            continue
        target = kept / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def make(name, brokers, jars, out):
    folder = out / ".making" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, __file__, "--child", name, brokers, jars, str(folder)]
    process = subprocess.Popen(command, start_new_session=True)
    if SCENARIOS[name].get("kill"):
        while not (folder / "in-last-batch").exists():
            if process.poll() is not None:
                raise SystemExit(f"{name}: Spark ended before its last batch")
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    elif process.wait() != 0:
        raise SystemExit(f"{name}: Spark failed")
    keep(folder, out / name)
    shutil.rmtree(folder)
    print(name, flush=True)


def main():
    if sys.argv[1] == "--child":
        name, brokers, jars, folder = sys.argv[2:]
        child(name, brokers, jars, Path(folder))
        return
    brokers, jars, out, *names = sys.argv[1:]
    here = int(pyspark.__version__.split(".")[0])
    for name in names or [name for name, scenario in SCENARIOS.items() if scenario.get("spark", 4) == here]:
        make(name, brokers, jars, Path(out).resolve())
    shutil.rmtree(Path(out) / ".making")


main()
