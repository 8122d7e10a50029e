// Kafka as a source and a sink.

export type { KafkaConnectionOptions, SaslOptions, TlsOptions } from "./connection-options.ts";
export { type KafkaGroupOptions, kafkaGroup } from "./group-offsets.ts";
export { type KafkaSinkOptions, kafkaSink } from "./sink.ts";
export { type KafkaSourceOptions, kafkaSource } from "./source.ts";
