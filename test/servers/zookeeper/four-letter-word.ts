// Asks a ZooKeeper server one of its four-letter words (ruok, srvr, …), which it answers in plain text on its client
// port: https://zookeeper.apache.org/doc/r3.9.3/zookeeperAdmin.html#sc_zkCommands
import { once } from "node:events";
import { connect } from "node:net";

const answerWithinMs = 2_000;

/** What the server on this port of 127.0.0.1 answers. @throws Error it does not, within two seconds */
export async function fourLetterWord(port: number, word: string, signal: AbortSignal): Promise<string> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
  const socket = connect({ port, host: "127.0.0.1", signal: deadline });
  try {
    const parts: Buffer[] = [];
    socket.on("data", (part: Buffer) => parts.push(part));
    socket.end(word);
    await once(socket, "close", { signal: deadline });
    return Buffer.concat(parts).toString();
  } finally {
    socket.destroy();
  }
}
