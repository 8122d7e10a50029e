// The RPC client against servers that lie, fall silent or go away: every call ends within its deadline, with what is
// known about it, and nothing is kept or parsed that is larger than it may be.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { encodeDelimited } from "../../connectors/hbase/messages.ts";
import { type Call, MAX_FRAME_BYTES, RpcConnection } from "../../connectors/hbase/rpc-connection.ts";
import { LostReplyError, NotSentError, ServerException } from "../../connectors/hbase/rpc-errors.ts";
import { numberBelow, seedOf } from "../contracts/random.ts";

const get: Call = {
  method: "Get",
  request: "GetRequest",
  response: "GetResponse",
  value: { region: { type: 1, value: Buffer.from("r") }, get: { row: Buffer.from("k") } },
};
const PREAMBLE_BYTES = 6;

interface FakeServer extends AsyncDisposable {
  readonly port: number;
}

/** A server that hands each connection over once its first call is there. */
async function listen(onCall: (socket: Socket) => void): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let received = Buffer.alloc(0);
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length < PREAMBLE_BYTES + 4) return;
      const headerEnd = PREAMBLE_BYTES + 4 + received.readUInt32BE(PREAMBLE_BYTES);
      if (received.length <= headerEnd + 4) return;
      socket.removeAllListeners("data");
      onCall(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const limits = (withinMs: number) => ({ withinMs, signal: new AbortController().signal });

async function ask(port: number, withinMs = 2_000): Promise<unknown> {
  const login = { service: "ClientService", user: "test" } as const;
  const connection = await RpcConnection.open({ host: "127.0.0.1", port }, login, limits(withinMs));
  try {
    return await connection.call(get, limits(withinMs)).catch((error: unknown) => error);
  } finally {
    connection.end(new Error("the test is over"));
  }
}

function frame(...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const header = (callId: number, more: object = {}) => encodeDelimited("ResponseHeader", { callId, ...more });
const result = encodeDelimited("GetResponse", {
  result: { cell: [{ family: Buffer.from("f"), qualifier: Buffer.from("q"), value: Buffer.from("v") }] },
});

describe("an answer", () => {
  it("is put together from pieces of any size, and those of other calls are left aside", async () => {
    const bytes = Buffer.concat([frame(header(77), result), frame(header(1), result)]);
    for (const size of [1, 3, 5, bytes.length]) {
      await using server = await listen(async (socket) => {
        for (let at = 0; at < bytes.length; at += size) {
          socket.write(bytes.subarray(at, at + size));
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
      expect(await ask(server.port)).toMatchObject({ result: { cell: [{ value: Buffer.from("v") }] } });
    }
  });

  it("that is an exception is told by its class, without its package and its stack", async () => {
    const exception = {
      exceptionClassName: "org.x.NotServingRegionException",
      stackTrace: "org.x.N: gone\n\tat A\n\tat B",
    };
    await using server = await listen((socket) => socket.write(frame(header(1, { exception }))));
    const error = await ask(server.port);
    expect(error).toBeInstanceOf(ServerException);
    expect(error).toMatchObject({ className: "NotServingRegionException", message: "gone" });
  });

  it("to the connection itself ends it, and says why", async () => {
    const exception = { exceptionClassName: "org.x.AccessDeniedException", stackTrace: "Authentication is required" };
    await using server = await listen((socket) => socket.write(frame(header(0xffff_ffff, { exception }))));
    expect(await ask(server.port)).toMatchObject({ className: "AccessDeniedException" });
  });

  it("that would be too large ends the connection at its length", async () => {
    for (const bytes of [0xffff_ffff, MAX_FRAME_BYTES + 1]) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes);
      await using server = await listen((socket) => socket.write(length));
      const error = await ask(server.port);
      expect(error).toBeInstanceOf(LostReplyError);
      expect(String(error)).toContain(`it has ${bytes} bytes`);
    }
  });

  it("of random bytes, or a right one with random damage, is an error and nothing worse", async () => {
    const { seed, random } = seedOf("hbase-rpc");
    const right = frame(header(1), result);
    let damaged: Buffer = Buffer.alloc(0);
    await using server = await listen((socket) => socket.end(damaged));
    for (let round = 0; round < 300; round++) {
      if (round % 2 === 0) damaged = frame(randomBytes(numberBelow(random, 200)));
      else {
        damaged = Buffer.from(right);
        for (let changes = 1 + numberBelow(random, 4); changes > 0; changes--) {
          damaged[numberBelow(random, damaged.length)] = numberBelow(random, 256);
        }
      }
      const answer = await ask(server.port);
      const isKnown = answer instanceof LostReplyError || answer instanceof ServerException;
      const isResult = typeof answer === "object" && answer !== null && !(answer instanceof Error);
      if (!isKnown && !isResult) throw new Error(`TEST_SEED=${seed}, round ${round}: ${String(answer)}`);
    }
  });
});

describe("a server", () => {
  it("that falls silent keeps a call no longer than its deadline, and the calls beside it", async () => {
    await using server = await listen(() => undefined);
    const login = { service: "ClientService", user: "test" } as const;
    const connection = await RpcConnection.open({ host: "127.0.0.1", port: server.port }, login, limits(1_000));
    const short = connection.call(get, limits(100));
    const long = connection.call(get, limits(60_000));
    await expect(short).rejects.toThrow("no reply within 100 ms");
    await expect(long).rejects.toBeInstanceOf(LostReplyError);
    await expect(connection.call(get, limits(100))).rejects.toBeInstanceOf(NotSentError);
  });

  it("that closes the connection leaves the outcome of a call open", async () => {
    await using server = await listen((socket) => socket.destroy());
    expect(await ask(server.port)).toBeInstanceOf(LostReplyError);
  });

  it("that is not there was sent nothing", async () => {
    const server = await listen(() => undefined);
    await server[Symbol.asyncDispose]();
    await expect(ask(server.port)).rejects.toBeInstanceOf(NotSentError);
  });

  it("is no longer waited for when the signal is given", async () => {
    await using server = await listen(() => undefined);
    const login = { service: "ClientService", user: "test" } as const;
    const connection = await RpcConnection.open({ host: "127.0.0.1", port: server.port }, login, limits(1_000));
    const stop = new AbortController();
    const call = connection.call(get, { withinMs: 60_000, signal: stop.signal });
    stop.abort(new Error("stop"));
    await expect(call).rejects.toThrow("stop");
    connection.end(new Error("over"));
  });
});
