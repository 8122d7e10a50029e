// Ports of 127.0.0.1 that nobody listens on, below those that systems hand out by themselves (from 32768 on Linux): a
// server that is restarted must find its port free, and a client that tries again and again to reach one that is down
// must never, by chance, be given that very port for its own end and so connect to itself.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const lowest = 15_000;
const beyond = 32_000;

/** Whether `port` can be listened on now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** So many different free ports, by chance. Nothing keeps others from taking them, so use them soon. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(lowest, beyond);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}
