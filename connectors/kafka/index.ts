// Kafka as a source.
export type { KafkaConnectionOptions, SaslOptions, TlsOptions } from "./connection-options.ts";
export { type KafkaSourceOptions, kafkaSource } from "./source.ts";
