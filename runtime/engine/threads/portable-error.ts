// Errors as plain data, so that they cross between threads with all that is decided by: their class, code and hint, the
// record or range they are about, and the stack of their cause, which names the line of the user's that threw.
import { formatRange, type OffsetRange } from "../../contract/positions.ts";
import {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  DataLossError,
  type ErrorDetails,
  FencedError,
  OutcomeUnknownError,
  PipelineError,
  PoisonRecordError,
  TidemarkError,
  TransientError,
} from "../../errors.ts";

const MAX_CAUSES = 5;

/** Plain data. */
export interface PortableError {
  /** The class of ours; undefined: any other error. */
  readonly kind: string | undefined;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly lost: readonly OffsetRange[] | undefined;
  readonly at: { readonly topic: string; readonly partition: number; readonly offset: bigint } | undefined;
  readonly rowNumber: number | undefined;
  readonly cause: PortableError | undefined;
}

const simple = {
  CheckpointCorruptError,
  CheckpointMissingError,
  ConfigError,
  FencedError,
  OutcomeUnknownError,
  TransientError,
};
/** The nearest class of ours comes first for what is derived from it. */
const classes = { ...simple, DataLossError, PipelineError, PoisonRecordError };

/** Takes an error apart; anything thrown will do. */
export function toPortable(error: unknown, causesLeft = MAX_CAUSES): PortableError {
  const isError = error instanceof Error;
  const isOurs = error instanceof TidemarkError;
  const isPoison = error instanceof PoisonRecordError;
  const cause = isError ? error.cause : undefined;
  return {
    kind: isOurs ? Object.entries(classes).find(([, known]) => error instanceof known)?.[0] : undefined,
    name: isError ? error.name : "Error",
    message: messageWithoutLost(error),
    stack: isError ? error.stack : undefined,
    code: isOurs ? error.code : undefined,
    hint: isOurs ? error.hint : undefined,
    lost: error instanceof DataLossError ? error.lost.map(plainRange) : undefined,
    at: isPoison ? { topic: error.topic, partition: error.partition, offset: error.offset } : undefined,
    rowNumber: error instanceof PipelineError ? error.rowNumber : undefined,
    cause: cause === undefined || causesLeft === 0 ? undefined : toPortable(cause, causesLeft - 1),
  };
}

/** Makes the error again: the same class where it is one of ours. */
export function fromPortable(portable: PortableError): Error {
  const { kind, name, message, stack, code, hint, lost = [], at, rowNumber } = portable;
  const cause = portable.cause && fromPortable(portable.cause);
  const details: ErrorDetails = {
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  };
  const error = construct();
  if (stack !== undefined) error.stack = stack;
  return error;

  function construct(): Error {
    if (kind === "DataLossError") return new DataLossError(message, lost, details);
    if (kind === "PipelineError") return new PipelineError(message, { ...details, rowNumber });
    if (kind === "PoisonRecordError" && at !== undefined) return new PoisonRecordError(at, message, details);
    if (kind !== undefined && Object.hasOwn(simple, kind)) {
      return new simple[kind as keyof typeof simple](message, details);
    }
    return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { name });
  }
}

/** A DataLossError adds its ranges to what it is told. */
function messageWithoutLost(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (!(error instanceof DataLossError) || error.lost.length === 0) return error.message;
  const ranges = `: ${error.lost.map(formatRange).join(", ")}`;
  return error.message.endsWith(ranges) ? error.message.slice(0, -ranges.length) : error.message;
}

function plainRange({ topic, partition, fromOffset, untilOffset }: OffsetRange): OffsetRange {
  return { topic, partition, fromOffset, untilOffset };
}
