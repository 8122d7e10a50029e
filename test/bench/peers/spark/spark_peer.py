"""The workloads as a user of Spark Structured Streaming writes them, with local[2]:

w1 filter, project, sum up; w2 sum by user in each batch; w3 w1's rows into Postgres, exactly once (staging table, then
one transaction that records the batch's number); w4 w1's rows into Kafka (Spark's sink for it is at least once). Runs
what is there (availableNow) and prints one line, RESULT and JSON.

    python spark_peer.py WORKLOAD BROKERS TOPIC OUTPUT NAME FOLDER BATCH DATABASE JARS
"""

import json
import sys
import time
from datetime import datetime
from urllib.parse import urlsplit

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

workload, brokers, topic, output, name, folder, batch, database, jars = sys.argv[1:]
settings = {
    "spark.driver.extraClassPath": f"{jars}/*",
    "spark.driver.memory": "4g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.local.dir": folder,
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.session.timeZone": "UTC",
}
builder = SparkSession.builder.master("local[2]").appName(name)
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")

payments = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", brokers)
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .option("maxOffsetsPerTrigger", batch)
    .load()
    .select(F.from_json(F.col("value").cast("string"), "id LONG, user STRING, amount DOUBLE").alias("payment"))
    .select("payment.*")
)
large = payments.where("amount > 50").select("id", "user", "amount")
cents = F.sum(F.round(F.col("amount") * 100).cast("long"))
digest = {}
users = set()


def add(part):
    for key, value in part.items():
        digest[key] = digest.get(key, 0) + value


def sum_up(rows, batch_id):
    row = rows.agg(
        F.count("*").alias("rows"),
        F.sum("id").alias("ids"),
        cents.alias("cents"),
        F.sum(F.length("user")).alias("userChars"),
    ).first()
    add(row.asDict())


def sum_by_user(rows, batch_id):
    sums = rows.groupBy("user").agg(F.sum("amount").alias("amount"))
    row = sums.agg(F.count("*").alias("users"), cents.alias("cents")).first()
    users.add(row.users)
    add({"cents": row.cents})


def to_postgres(rows, batch_id):
    url = urlsplit(database)
    # Nobody here encrypts what goes to the same machine.
    place = f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}?sslmode=disable"
    (
        rows.write.format("jdbc")
        .options(url=f"{place}&reWriteBatchedInserts=true", user=url.username, password=url.password)
        .options(driver="org.postgresql.Driver", dbtable=f"{output}_stage", batchsize="5000", truncate="true")
        .mode("overwrite")
        .save()
    )
    connection = spark._jvm.java.sql.DriverManager.getConnection(place, url.username, url.password)
    try:
        connection.setAutoCommit(False)
        statement = connection.createStatement()
        taken = statement.executeUpdate(f"insert into {output}_batches values ({batch_id}) on conflict do nothing")
        if taken == 1:
            statement.executeUpdate(f'insert into {output} select id, "user", amount from {output}_stage')
        connection.commit()
    finally:
        connection.close()


match workload:
    case "w1":
        writer = large.writeStream.foreachBatch(sum_up)
    case "w2":
        writer = payments.writeStream.foreachBatch(sum_by_user)
    case "w3":
        writer = large.writeStream.foreachBatch(to_postgres)
    case "w4":
        writer = (
            large.select(F.col("user").alias("key"), F.to_json(F.struct("id", "user", "amount")).alias("value"))
            .writeStream.format("kafka")
            .option("kafka.bootstrap.servers", brokers)
            .option("topic", output)
            .option("kafka.linger.ms", "20")
            .option("kafka.batch.size", "262144")
        )

started_at = time.time()
query = writer.option("checkpointLocation", f"{folder}/checkpoint").trigger(availableNow=True).start()
query.awaitTermination()
done_at = time.time()
if workload == "w2":
    # Every batch has all users, so long as it has 200,000 records.
    digest["users"] = max(users)
first = datetime.fromisoformat(query.recentProgress[0]["timestamp"].replace("Z", "+00:00"))
report = {
    "startedAtMs": round(started_at * 1000),
    "firstRecordAtMs": round(first.timestamp() * 1000),
    "doneAtMs": round(done_at * 1000),
    "digest": digest,
}
print(f"RESULT {json.dumps(report)}", flush=True)
spark.stop()
