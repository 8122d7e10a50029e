// Waits for a reply of the server, and not for ever: past the deadline, or when the signal is given, the connection is
// given up, since nobody knows what it would answer next.
import { NoReplyError } from "./failures.ts";

export interface ReplyOptions {
  readonly signal: AbortSignal;
  /** > 0 */
  readonly withinMs: number;
  /** Ends the connection at once, so that the reply fails. */
  readonly giveUp: () => void;
}

/** The reply, or the signal's reason, or NoReplyError. The reply that comes too late is not looked at. */
export function awaitReply<T>(reply: Promise<T>, { signal, withinMs, giveUp }: ReplyOptions): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (error: unknown) => {
      reject(error);
      giveUp();
    };
    const stop = () => end(signal.reason);
    const timer = setTimeout(() => end(new NoReplyError(withinMs)), withinMs);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    reply.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    });
  });
}
