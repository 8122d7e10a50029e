// The contract suite on the stores that need no server.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fileStore } from "../../checkpoints/file.ts";
import { memoryStore } from "../../checkpoints/memory.ts";
import { checkpointStoreContract } from "../contracts/checkpoint-store.ts";

const dir = await mkdtemp(join(tmpdir(), "tidemark-stores-"));
afterAll(() => rm(dir, { recursive: true, force: true }));

const memory = memoryStore();

checkpointStoreContract({ name: "file", open: async () => fileStore({ dir }), newJobName });
checkpointStoreContract({ name: "memory", open: async () => memory, newJobName });

function newJobName(): string {
  return `job-${randomBytes(6).toString("hex")}`;
}
