// Asks a broker which requests it knows (ApiVersions, the first request of every client), by hand: a port that is open
// says nothing yet, an answer does.
import { connect } from "node:net";

/** ApiVersions v0: size, api key 18, version 0, correlation id 7, no client id. */
const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]);
const answerWithinMs = 2_000;

/** Whether the broker on this port of 127.0.0.1 answers in plain text and without an error. */
export function isBrokerReady(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const end = (isReady: boolean) => {
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(isReady);
    };
    const giveUp = () => end(false);
    signal.addEventListener("abort", giveUp);
    socket.setTimeout(answerWithinMs, giveUp);
    socket.on("error", giveUp);
    socket.on("close", giveUp);
    socket.on("connect", () => socket.write(request));
    // Size, correlation id, error code: the beginning is enough.
    socket.once("data", (answer) =>
      end(answer.length >= 10 && answer.readInt32BE(4) === 7 && answer.readInt16BE(8) === 0),
    );
  });
}
