// A job file that cannot be used as it is: the user's to mend, shown with the place in their code where there is one.
import { ConfigError, type ErrorDetails } from "../errors.ts";
import type { CodePlace } from "./code-frame.ts";

/** Exit code 2, like every ConfigError. */
export class JobFileError extends ConfigError {
  /** Where in the user's code; undefined when it is not about a line. */
  readonly place: CodePlace | undefined;

  constructor(message: string, { place, ...details }: ErrorDetails & { readonly place?: CodePlace | undefined } = {}) {
    super(message, details);
    this.place = place;
  }
}
