// What a job with its checkpoint on a server does while that server is away, as tests: it waits, says so, and goes on
// by itself, and each record is there once. A store's own test file calls `storeOutages` with a server of its own.
import { describe, expect, it } from "vitest";
import type { OwnServer } from "../servers/for-tests.ts";
import type { NumbersJob } from "./numbers-job.ts";

const isNight = process.env["NIGHTLY"] !== undefined;
const GONE_FOR_MS = 30_000;

export interface StoreOutagesHarness {
  /** The system, for the tests' names. */
  readonly name: string;
  readonly server: () => OwnServer;
  /** Starts a job with its checkpoint there. */
  readonly start: () => Promise<NumbersJob>;
  /** What its messages call the server. */
  readonly label: () => string;
  /** Whether calls wait so short a time that the test with a frozen server is quick; else it is for the night. */
  readonly isSoonLate: boolean;
}

/** Declares the suite for one store. */
export function storeOutages({ name, server, start, label, isSoonLate }: StoreOutagesHarness): void {
  describe(`a job with its checkpoint in ${name}`, () => {
    it("goes on when the server is killed in mid-run and comes back", async () => {
      const job = await start();
      await job.completed(2);
      await server().kill();
      await job.saysSo();
      await server().start();
      await job.endsWell();
      expect(job.retries().join("\n")).toContain(label());
    }, 120_000);

    it.runIf(isSoonLate || isNight)(
      "goes on when the server was frozen for longer than a call waits",
      async () => {
        const job = await start();
        await job.completed(2);
        server().pause();
        try {
          await job.saysSo();
        } finally {
          server().resume();
        }
        await job.endsWell();
      },
      120_000,
    );

    it.runIf(isNight)(
      "goes on when the server is restarted, and then gone for half a minute",
      async () => {
        const job = await start();
        await job.completed(1);
        await server().restart();
        await job.completed(3);
        await server().stop();
        await new Promise((resolve) => setTimeout(resolve, GONE_FOR_MS));
        await server().start();
        await job.endsWell();
      },
      180_000,
    );
  });
}
