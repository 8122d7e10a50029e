// A job's positions are shown where people look, at leisure, and the newest always are.
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import type { Position } from "../../runtime/contract/positions.ts";
import type { SourceReader } from "../../runtime/contract/source.ts";
import { Showing } from "../../runtime/engine/showing.ts";

const at = (offset: bigint): Position[] => [{ topic: "t", partition: 0, offset }];

test.each([0, 1, 2, 3, 4])("the newest are shown, though they come %s turns after the pause is over", async (turns) => {
  const shown: (bigint | undefined)[] = [];
  const pauses: (() => void)[] = [];
  const sleep: Clock["sleep"] = () => new Promise((resolve) => pauses.push(resolve));
  const completed: SourceReader["completed"] = async ([position]) => void shown.push(position?.offset);
  const input = { reader: { completed } as SourceReader, lineageId: "l", onWarning: () => {} };
  const showing = new Showing({ ...input, clock: { ...systemClock, sleep } });
  showing.show(at(1n));
  await expect.poll(() => pauses.length).toBe(1);
  pauses[0]?.();
  for (let turn = 0; turn < turns; turn++) await undefined;
  showing.show(at(2n));
  await expect.poll(() => shown).toEqual([1n, 2n]);
});
