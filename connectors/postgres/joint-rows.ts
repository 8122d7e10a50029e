// A batch's rows in their open transaction, as the sink hands them to a store of the same database. The store seals
// them, adds its own statements to the transaction, and commits; the sink's disposal rolls back what was not committed.
import type { JointTransaction } from "../../runtime/index.ts";
import type { Transaction } from "./transaction.ts";

/** The rows of one batch, waiting for their commit. */
export class JointRows implements JointTransaction {
  readonly place: string;
  readonly #seal: (signal: AbortSignal) => Promise<Transaction>;

  constructor(place: string, seal: (signal: AbortSignal) => Promise<Transaction>) {
    this.place = place;
    this.#seal = seal;
  }

  /**
   * Sends the last rows and the batch's marker; the transaction waits for its commit then.
   * @throws TransientError a newer epoch shut the sink out
   * @throws PipelineError a row was refused
   */
  seal(signal: AbortSignal): Promise<Transaction> {
    return this.#seal(signal);
  }
}
