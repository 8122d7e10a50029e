// Stores by URL, and URLs that are shown.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStore } from "../../runtime/open-store.ts";
import { redactUrl } from "../../runtime/redact-url.ts";

test("the same folder has the same URL, however it is written", async () => {
  const baseDir = mkdtempSync(join(tmpdir(), "tidemark-open-"));
  try {
    const urls = [".tidemark", "./.tidemark/", "a/../.tidemark", join(baseDir, ".tidemark")].map(
      (dir) => `file:${dir}`,
    );
    const stores = await Promise.all(
      [...urls, `file://${baseDir}/.tidemark`].map((url) => openStore(url, { baseDir })),
    );
    expect(new Set(stores.map(({ url }) => url))).toEqual(new Set(["file:.tidemark"]));
    const outside = await openStore("file:../elsewhere", { baseDir });
    expect(outside.url).toBe(`file:${join(baseDir, "../elsewhere")}`);
  } finally {
    rmSync(baseDir, { recursive: true });
  }
});

test("memory: is one store for the whole process, and a store object is itself", async () => {
  const store = await openStore("memory:", { baseDir: "." });
  expect(await openStore("memory:", { baseDir: "/" })).toBe(store);
  expect(await openStore(store, { baseDir: "." })).toBe(store);
});

test.each([
  ["", "file:.tidemark"],
  [".tidemark", "file:.tidemark"],
  ["flie:x", "did you mean file:?"],
  ["redis://localhost", "this version has"],
  ["file:", "for example file:.tidemark"],
  ["file://host/x", "file:DIR"],
])("%j is no store, and the hint says what is", async (url, hint) => {
  const refused = await openStore(url, { baseDir: "." }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "CONFIG", hint: expect.stringContaining(hint) });
});

test.each([
  ["postgres://me:secret@host:5432/db", "postgres://me:***@host:5432/db"],
  ["postgres://me:s/e?c:r@e#t@host/db", "postgres://me:***@host/db"],
  ["postgres://me@host/db?password=secret&sslmode=on", "postgres://me@host/db?password=***&sslmode=on"],
  ["kafka://:secret@host", "kafka://:***@host"],
  ["me:secret@host", "me:***@host"],
  ["file:/srv/a:b@c", "file:/srv/a:b@c"],
  ["zookeeper://a:2181,b:2181/root", "zookeeper://a:2181,b:2181/root"],
  ["webhdfs://nn:9870/dir?delegation=secret", "webhdfs://nn:9870/dir?delegation=***"],
])("%s is shown without its password", (url, shown) => {
  expect(redactUrl(url)).toBe(shown);
});

test.each([
  "memory:me:secret@host",
  "file://me:secret@host/dir",
  "redis://me:secret@host",
  "spark:s3://me:secret@host",
])("%s is refused without its password", async (url) => {
  const refused = await openStore(url, { baseDir: "." }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "CONFIG", message: expect.not.stringContaining("secret") });
});
