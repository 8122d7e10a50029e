// Requests and answers that get lost between a writer and its name node: an append happens once or not at all, and what
// was held up on the way comes too late for ever.
import { afterAll, beforeAll, expect, it } from "vitest";
import { hdfsStore } from "../../checkpoints/hdfs.ts";
import { OutcomeUnknownError, TransientError } from "../../runtime/index.ts";
import { collect, entry, next } from "../contracts/checkpoint-store-bench.ts";
import { serverStartTimeoutMs } from "../servers/for-tests.ts";
import { waitUntil } from "../servers/wait-until.ts";
import { newName, type TestFolder, testFolder } from "./folder.ts";
import { type Asked, type NameNodeProxy, nameNodeProxy } from "./name-node-proxy.ts";

const { signal } = new AbortController();
let folder: TestFolder;
let proxy: NameNodeProxy;
beforeAll(async () => {
  folder = await testFolder();
  proxy = await nameNodeProxy(folder.server.http);
}, serverStartTimeoutMs);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** A job with entry 0 whose writer goes through the proxy, and a store that does not. */
async function openJob() {
  const job = newName("lost");
  const url = folder.urlOf("store");
  const direct = hdfsStore({ url });
  const store = hdfsStore({ url: url.replace(new URL(url).host, proxy.place), timeoutMs: 20_000 });
  proxy.decide(() => "pass");
  const writer = await store.takeOver(job, next("begin"), signal);
  return {
    job,
    direct,
    writer,
    texts: async () =>
      (await collect(direct.read(job, 0n, signal))).map((item) => Buffer.from(item.entry.bytes).toString()),
    async [Symbol.asyncDispose]() {
      proxy.decide(() => "pass");
      await store[Symbol.asyncDispose]();
      await direct[Symbol.asyncDispose]();
    },
  };
}

const isMoveIn = ({ op, path }: Asked) => op === "RENAME" && path.endsWith(".entry");

it("an append whose reply is lost is found out to have happened, and the next one follows", async () => {
  await using log = await openJob();
  const mine = entry("one");
  proxy.decide((asked) => (isMoveIn(asked) ? "lose-answer" : "pass"));
  expect(await log.writer.append(1n, mine, [], signal)).toEqual({ is: "exists", entry: mine });
  proxy.decide(() => "pass");
  expect(await log.writer.append(2n, entry("two"), [], signal)).toEqual({ is: "appended" });
  expect(await log.texts()).toEqual(["begin", "one", "two"]);
});

it("an append that never arrived is found out not to have happened, and can be repeated", async () => {
  await using log = await openJob();
  const mine = entry("one");
  proxy.decide((asked) => (isMoveIn(asked) ? "lose-request" : "pass"));
  await expect(log.writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(TransientError);
  expect(await log.texts()).toEqual(["begin"]);
  proxy.decide(() => "pass");
  expect(await log.writer.append(1n, mine, [], signal)).toEqual({ is: "appended" });
  expect(await log.texts()).toEqual(["begin", "one"]);
});

it("an append that was held up on the way comes too late once it is taken for lost", async () => {
  await using log = await openJob();
  const mine = entry("one");
  proxy.decide((asked) => (isMoveIn(asked) ? "hold" : "pass"));
  await expect(log.writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(TransientError);
  expect(await proxy.release()).toEqual([404]);
  expect(await log.texts()).toEqual(["begin"]);
  proxy.decide(() => "pass");
  expect(await log.writer.append(1n, mine, [], signal)).toEqual({ is: "appended" });
  expect(await log.texts()).toEqual(["begin", "one"]);
});

it("an append of which nothing can be found out is of unknown outcome, and is recognised when repeated", async () => {
  await using log = await openJob();
  const mine = entry("one");
  let isGone = false;
  proxy.decide((asked) => {
    if (isGone) return "lose-request";
    isGone = isMoveIn(asked);
    return isGone ? "lose-answer" : "pass";
  });
  await expect(log.writer.append(1n, mine, [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  proxy.decide(() => "pass");
  expect(await log.writer.append(1n, mine, [], signal)).toEqual({ is: "exists", entry: mine });
  expect(await log.writer.append(2n, entry("two"), [], signal)).toEqual({ is: "appended" });
  expect(await log.texts()).toEqual(["begin", "one", "two"]);
});

it("an append that is held up until another has taken over never shows, whatever was pruned since", async () => {
  await using log = await openJob();
  let isGone = false;
  proxy.decide((asked) => {
    if (isGone) return "lose-request";
    isGone = isMoveIn(asked);
    return isGone ? "hold" : "pass";
  });
  await expect(log.writer.append(1n, entry("late"), [], signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  const current = await log.direct.takeOver(log.job, next("again"), signal);
  expect(await current.append(2n, entry("two"), [], signal)).toEqual({ is: "appended" });
  await current.prune(2n, signal);
  expect(await proxy.release()).toEqual([404]);
  expect(await log.texts()).toEqual(["two"]);
  expect(await log.direct.bounds(log.job, signal)).toEqual({ first: 2n, head: 2n });
});

it("a take-over whose reply is lost leaves a log that the next take-over goes on with", async () => {
  await using log = await openJob();
  const url = folder.urlOf("store");
  await using store = hdfsStore({ url: url.replace(new URL(url).host, proxy.place) });
  proxy.decide(({ op, path }) =>
    op === "RENAME" && path.includes(" ") && !/entry$/.test(path) ? "lose-answer" : "pass",
  );
  await expect(store.takeOver(log.job, next("lost"), signal)).rejects.toBeInstanceOf(OutcomeUnknownError);
  proxy.decide(() => "pass");
  expect((await log.writer.append(1n, entry("stale"), [], signal)).is).toBe("behind");
  await store.takeOver(log.job, next("again"), signal);
  expect(await log.texts()).toEqual(["begin", "again"]);
});

it("rolling together that is held up until later leaves every entry once", async () => {
  await using log = await openJob();
  for (let seq = 1n; seq < 31n; seq++) await log.writer.append(seq, entry(`${seq}`), [], signal);
  const isRolling = ({ op, path }: Asked) => op === "RENAME" && path.endsWith(".entries");
  proxy.forget();
  proxy.decide((asked) => (isRolling(asked) ? "hold" : "pass"));
  expect(await log.writer.append(31n, entry("31"), [], signal)).toEqual({ is: "appended" });
  const all = ["begin", ...Array.from({ length: 31 }, (_, index) => `${index + 1}`)];
  await waitUntil(() => proxy.asked.some(isRolling), { what: "rolling together", withinMs: 20_000, signal });
  expect(await log.texts()).toEqual(all);
  proxy.decide(() => "pass");
  expect(await log.writer.append(32n, entry("32"), [], signal)).toEqual({ is: "appended" });
  await proxy.release();
  expect(await log.texts()).toEqual([...all, "32"]);
});

it("rolling together that is held up until all of it was pruned brings back nothing", async () => {
  await using log = await openJob();
  for (let seq = 1n; seq < 31n; seq++) await log.writer.append(seq, entry(`${seq}`), [], signal);
  const isRolling = ({ op, path }: Asked) => op === "RENAME" && path.endsWith(".entries");
  const isForgetting = ({ op, path }: Asked) => op === "DELETE" && path.includes(".tmp-");
  proxy.forget();
  proxy.decide((asked) => (isRolling(asked) ? "hold" : isForgetting(asked) ? "lose-request" : "pass"));
  await log.writer.append(31n, entry("31"), [], signal);
  await waitUntil(() => proxy.asked.some(isRolling), { what: "rolling together", withinMs: 20_000, signal });
  proxy.decide((asked) => (isRolling(asked) ? "lose-request" : "pass"));
  for (let seq = 32n; seq < 36n; seq++) await log.writer.append(seq, entry(`${seq}`), [], signal);
  for (let before = 1n; before <= 34n; before++) await log.writer.prune(before, signal);
  expect(await proxy.release()).toContain(200);
  expect(await log.direct.bounds(log.job, signal)).toEqual({ first: 34n, head: 35n });
  expect(await log.texts()).toEqual(["34", "35"]);
});

it("an answer that breaks off is none, and never an empty log", async () => {
  await using log = await openJob();
  proxy.decide(({ op }) => (op === "LISTSTATUS" ? "break-off" : "pass"));
  const url = folder.urlOf("store");
  await using store = hdfsStore({ url: url.replace(new URL(url).host, proxy.place) });
  await expect(store.bounds(log.job, signal)).rejects.toThrow(/broke off|aborted/);
  await expect(store.bounds(log.job, signal)).rejects.toBeInstanceOf(TransientError);
});

it("a gateway that renames without options is refused, since it would refuse nobody", async () => {
  await using log = await openJob();
  proxy.decide(({ op }) => (op === "RENAME" ? "plain" : "pass"));
  await expect(log.writer.append(1n, entry("one"), [], signal)).rejects.toThrow("renames without options");
});
