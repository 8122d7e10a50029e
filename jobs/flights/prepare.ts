// Makes what the Kafka and Postgres jobs need and would not make by themselves: two topics and a table. May be run
// again.
import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { brokers, database } from "./servers.ts";

const admin = new Admin({ clientId: "flights", bootstrapBrokers: [...brokers] });
const there = new Set(await admin.listTopics());
const missing = ["flights", "late-flights"].filter((topic) => !there.has(topic));
if (missing.length > 0) await admin.createTopics({ topics: missing, partitions: 4, replicas: -1 });
await admin.close();

const client = new pg.Client({ connectionString: database });
await client.connect();
await client.query(
  "create table if not exists late_flights (id bigint primary key, departure text, delay_minutes int, miles int)",
);
await client.end();
process.stdout.write("topics flights and late-flights, table late_flights: there\n");
