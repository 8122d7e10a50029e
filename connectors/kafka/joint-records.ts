// A batch's rows in the log's own transaction, as the Kafka sink hands them to the writer of the log, which adds its
// entry and commits. Rows cannot be in a transaction of the sink's own here: what fences a transaction is who began it,
// and the take-over of the log shuts out the log's producer only.
import type { JointTransaction } from "../../runtime/index.ts";
import type { ProducerTurn, SharedProducer } from "./shared-producer.ts";

/** The rows of one batch, waiting for their commit. */
export class JointRecords implements JointTransaction {
  readonly producer: SharedProducer;
  readonly #seal: (signal: AbortSignal) => Promise<ProducerTurn>;

  constructor(producer: SharedProducer, seal: (signal: AbortSignal) => Promise<ProducerTurn>) {
    this.producer = producer;
    this.#seal = seal;
  }

  get place(): string {
    return this.producer.place;
  }

  /**
   * Sends the last rows and the batch's marker, and hands over the turn: whoever takes it commits or aborts, and gives
   * it back.
   * @throws TransientError the producer was shut out
   */
  seal(signal: AbortSignal): Promise<ProducerTurn> {
    return this.#seal(signal);
  }
}
