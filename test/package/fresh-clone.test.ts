// The repository as someone finds it: cloned, nothing installed, and the first thing that they type is `npm start`.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyWorkTree, mustRun, readRows, temporaryFolder } from "./sandbox.ts";

/** Flights of the data set that were an hour late or more and were to leave before 20:00, and from then until 21:00. */
const lateBefore20 = 7_792;
const lateBefore21 = 8_804;

describe("npm start on a fresh clone", { timeout: 120_000 }, () => {
  const clone = temporaryFolder();
  const cwd = clone.path;
  const lateFlights = () => readRows(`${cwd}/jobs/flights/out/late-flights`).filter((row) => /^\d/.test(row));

  beforeAll(() => copyWorkTree(cwd));
  afterAll(() => clone[Symbol.dispose]());

  it("installs what it needs, runs the job over the flights, and says what to type next", async () => {
    const { stdout, stderr } = await mustRun("npm", ["start"], { cwd });
    expect(stderr).toContain("Installing what the project needs");
    expect(stdout).toContain(`${lateBefore20.toLocaleString("en")} late flights`);
    expect(stdout).toContain("npm run flights -- --more");
    expect(lateFlights()).toHaveLength(lateBefore20);
  });

  it("has nothing left to do when it is typed again", async () => {
    const { stdout, stderr } = await mustRun("npm", ["start"], { cwd });
    expect(stderr).not.toContain("Installing");
    expect(stdout + stderr).toContain("nothing is left to do");
    expect(lateFlights()).toHaveLength(lateBefore20);
  });

  it("does just what is new after more input has arrived", async () => {
    const arrived = await mustRun("npm", ["run", "flights", "--", "--more"], { cwd });
    expect(arrived.stdout).toContain("10,400 more flights have arrived, until 21:00");
    await mustRun("npm", ["start"], { cwd });
    expect(lateFlights()).toHaveLength(lateBefore21);
  });

  it("runs what it tells to type next", async () => {
    const offsets = await mustRun("npx", ["runtime", "offsets", "jobs/flights/late-flights.ts"], { cwd });
    expect(offsets.stdout.replaceAll(",", "")).toContain("46448");
    await mustRun("npx", ["runtime", "batches", "jobs/flights/late-flights.ts"], { cwd });
    await mustRun("npx", ["runtime", "start", "jobs/flights/delay-report.ts"], { cwd });
  });
});
