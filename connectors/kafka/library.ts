// What the connector uses of the Kafka library: nothing else imports it. Importing it loads hundreds of modules, half a
// second for each thread of a job, for clients and schema registries that are not used here; so the build puts what is
// named here, and what that needs, into this one file (test/tools/bundle-kafka-library.ts).

export type { API, ConnectionOptions, Reader, SASLOptions } from "@platformatic/kafka";
export {
  addOffsetsToTxnV3,
  addPartitionsToTxnV3,
  apiVersionsV3,
  Connection,
  createAPI,
  createTopicsV7,
  describeConfigsV4,
  describeTransactionsV0,
  endTxnV3,
  fetchV13,
  findCoordinatorV4,
  findErrorBy,
  initProducerIdV4,
  listGroupsV4,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
  offsetFetchV8,
  offsetForLeaderEpochV4,
  produceV9,
  produceV11,
  protocolErrors,
  protocolErrorsCodesById,
  txnOffsetCommitV3,
  Writer,
} from "@platformatic/kafka";
