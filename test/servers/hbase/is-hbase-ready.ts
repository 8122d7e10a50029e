// Asks a master for its namespaces, which it tells only when it has come up whole, hbase:meta and its regions included;
// by hand, so that the server's readiness does not hang on the client that is to be tested with it.
import { connect } from "node:net";

const answerWithinMs = 2_000;

/** A message's field of text or bytes: its number, its length, the text; protobuf's wire type 2. */
function field(number: number, text: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, text.length]), Buffer.from(text)]);
}

function question(): Buffer {
  // ConnectionHeader: user_info.effective_user, service_name.
  const header = Buffer.concat([field(1, field(1, "tidemark")), field(2, "MasterService")]);
  // RequestHeader: call_id 1, method_name, request_param true; and an empty request.
  const request = Buffer.concat([Buffer.from([8, 1]), field(3, "ListNamespaceDescriptors"), Buffer.from([32, 1])]);
  const call = Buffer.concat([Buffer.from([request.length]), request, Buffer.from([0])]);
  const length = (bytes: Buffer) => Buffer.from([0, 0, 0, bytes.length]);
  return Buffer.concat([Buffer.from("HBas\u0000P"), length(header), header, length(call), call]);
}

/** Whether the master on this port of 127.0.0.1 answers without an error. */
export function isHbaseReady(port: number, signal: AbortSignal): Promise<boolean> {
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
    socket.on("connect", () => socket.write(question()));
    // Length, then the ResponseHeader: call_id and nothing else, where an error would be an exception.
    socket.once("data", (answer) => end(answer.length > 7 && answer.subarray(4, 7).equals(Buffer.from([2, 8, 1]))));
  });
}
