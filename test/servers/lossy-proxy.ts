// A TCP proxy before a server that loses what a network may lose: a reply whose request was carried out, or a request
// that never arrived; either way the connection is reset.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface LossyProxy extends AsyncDisposable {
  /** Of 127.0.0.1. */
  readonly port: number;
  /**
   * The next data that the server sends (after a client has sent `containing`, where that is given) are swallowed, then
   * the connection that they were for is reset.
   */
  loseReply(containing?: string): void;
  /** The next data that a client sends are swallowed, then its connection is reset. */
  loseRequest(): void;
  /** The next data of a client with `containing` wait until they are let go; gives what lets them, once they wait. */
  hold(containing: string): Promise<() => void>;
  /** Resets all connections. */
  cut(): void;
  /** How much was lost so far. */
  readonly lost: number;
}

/** Opens the proxy before a port of 127.0.0.1, on a port of its own choice or on a given one. */
export async function lossyProxy(targetPort: number, port = 0): Promise<LossyProxy> {
  const clients = new Set<Socket>();
  let [losesReply, losesRequest, lost] = [false, false, 0];
  let awaited: string | undefined;
  let held: { readonly containing: string; readonly tell: (release: () => void) => void } | undefined;
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const reset = () => {
      clients.delete(client);
      client.resetAndDestroy();
      target.destroy();
    };
    const lose = () => {
      lost++;
      reset();
    };
    clients.add(client);
    client.on("data", (data: Buffer) => {
      if (awaited !== undefined && data.includes(awaited)) [losesReply, awaited] = [true, undefined];
      if (held !== undefined && data.includes(held.containing)) {
        client.pause();
        held.tell(() => {
          target.write(data);
          client.resume();
        });
        held = undefined;
        return;
      }
      if (!losesRequest) return void target.write(data);
      losesRequest = false;
      lose();
    });
    target.on("data", (data: Buffer) => {
      if (!losesReply) return void client.write(data);
      losesReply = false;
      lose();
    });
    for (const socket of [client, target]) socket.on("error", reset).on("close", reset);
  });
  server.listen({ port, host: "127.0.0.1" });
  await once(server, "listening");
  const cut = () => {
    for (const client of [...clients]) client.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    loseReply: (containing) => {
      if (containing === undefined) losesReply = true;
      else awaited = containing;
    },
    loseRequest: () => {
      losesRequest = true;
    },
    hold: (containing) =>
      new Promise((resolve) => {
        held = { containing, tell: resolve };
      }),
    cut,
    get lost() {
      return lost;
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
