// Where the flight jobs find Kafka and Postgres: the environment says it, as `npm run servers -- env` prints it.

/** host:port of at least one broker, separated by commas. */
export const brokers = (process.env["KAFKA_BROKERS"] ?? "127.0.0.1:9092").split(",");
export const database = process.env["DATABASE_URL"] ?? "postgres://localhost/app";
