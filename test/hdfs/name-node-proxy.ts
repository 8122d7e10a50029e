// Stands between a client and its name node, and loses what a test wants lost: a request (the client hears nothing, the
// server neither), the answer to one that the server has carried out, or, with a dead client, everything from some
// request on. A request may also be held back and carried out when the test says so. DataNodes are reached directly.
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request to the name node, as WebHDFS has it. */
export interface Asked {
  /** "RENAME", "CREATE", … */
  readonly op: string;
  /** With its destination, if it has one: "/from /to". */
  readonly path: string;
}

/** `break-off`: half of the answer's bytes arrive. `plain`: a rename is asked for without its options. */
export type Fate = "pass" | "lose-request" | "lose-answer" | "hold" | "break-off" | "plain";

export interface NameNodeProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`, to stand in a URL in the place of the name node's. */
  readonly place: string;
  /** What was asked since the last call of `forget`. */
  readonly asked: readonly Asked[];
  forget(): void;
  /** Decides on each request to come; default: all pass. */
  decide(fate: (asked: Asked) => Fate): void;
  /** Has what was held carried out now, and gives the answers' statuses. */
  release(): Promise<number[]>;
}

/** Starts one. `http`: the name node's, `http://127.0.0.1:PORT`. */
export async function nameNodeProxy(http: string): Promise<NameNodeProxy> {
  const asked: Asked[] = [];
  const held: (() => Promise<number>)[] = [];
  let decide: (asked: Asked) => Fate = () => "pass";
  const server = createServer(async (incoming, outgoing) => {
    const seen = askedBy(incoming);
    asked.push(seen);
    const fate = decide(seen);
    if (fate === "hold") held.push(() => forward(http, incoming, undefined));
    if (fate === "lose-answer") await forward(http, incoming, undefined);
    if (fate === "plain") incoming.url = incoming.url?.replace(/renameoptions=[A-Z]+&?/, "") ?? "";
    if (fate === "pass" || fate === "plain") await forward(http, incoming, outgoing);
    else if (fate === "break-off") await forward(http, incoming, outgoing, true);
    else incoming.socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    place: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    forget: () => void asked.splice(0),
    decide: (fate) => {
      decide = fate;
    },
    release: () => Promise.all(held.splice(0).map((carryOut) => carryOut())),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function askedBy({ url = "" }: IncomingMessage): Asked {
  const { pathname, searchParams } = new URL(url, "http://name.node");
  const names = [pathname.replace("/webhdfs/v1", ""), searchParams.get("destination")].filter((name) => name !== null);
  return { op: (searchParams.get("op") ?? "").toUpperCase(), path: names.map(decodeURIComponent).join(" ") };
}

/** Carries a request out (those to a name node have no body), and hands the answer on if there is to be one. */
function forward(
  http: string,
  { url, method }: IncomingMessage,
  to: ServerResponse | undefined,
  breaksOff = false,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${http}${url}`, { method }, (answer) => {
      const status = answer.statusCode ?? 0;
      to?.writeHead(status, answer.headers);
      answer.on("data", (chunk: Buffer) => to?.write(breaksOff ? chunk.subarray(0, chunk.length / 2) : chunk));
      answer.on("end", () => {
        if (breaksOff) setImmediate(() => to?.socket?.destroy());
        else to?.end();
        resolve(status);
      });
    });
    sent.on("error", reject);
    sent.end();
  });
}
