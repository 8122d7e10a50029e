// Finding by partition gives what a map by partition would, whatever the order of the list and of the questions.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Position, partitionKey } from "../../runtime/contract/positions.ts";
import { finderIn, isStrictlySorted } from "../../runtime/plan/find-partition.ts";
import { mergePositions } from "../../runtime/plan/plan.ts";

const partition = fc.record({ topic: fc.constantFrom("a", "b", "é"), partition: fc.nat(12) });
const position = fc.record({
  topic: fc.constantFrom("a", "b", "é"),
  partition: fc.nat(12),
  offset: fc.bigInt(0n, 99n),
});
const lists = fc.array(position, { maxLength: 30 });
const byKey = (items: readonly Position[]) => new Map(items.map((item) => [partitionKey(item), item]));
const sorted = (items: readonly Position[]) => mergePositions([], items);

test("a partition is found in any list, asked for in any order", () => {
  fc.assert(
    fc.property(lists, fc.array(partition), fc.boolean(), (items, asked, isSorted) => {
      const list = isSorted ? sorted(items) : items;
      const [find, expected] = [finderIn(list), byKey(list)];
      for (const at of [...asked, ...list]) expect(find(at)).toEqual(expected.get(partitionKey(at)));
    }),
  );
});

test("merged positions are sorted, and the newer, later ones win", () => {
  fc.assert(
    fc.property(lists, lists, (older, newer) => {
      const merged = mergePositions(older, newer);
      expect(isStrictlySorted(merged)).toBe(true);
      expect(byKey(merged)).toEqual(byKey([...older, ...newer]));
    }),
  );
});
