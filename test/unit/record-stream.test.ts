// The records of one task, compared with a Subject: pipelines must not see a difference.
import { Subject, take } from "rxjs";
import { expect, it } from "vitest";
import { RecordStream } from "../../runtime/engine/record-stream.ts";

/** What subscribers see that come and go while records do. */
function seen(stream: { next(record: number): void; complete(): void }, records$: Subject<number>["asObservable"]) {
  const log: string[] = [];
  const all$ = records$();
  const listen = (name: string) =>
    all$.subscribe({
      next: (record) => log.push(`${name} ${record}`),
      complete: () => log.push(`${name} complete`),
    });
  stream.next(0);
  const first = listen("first");
  stream.next(1);
  all$.pipe(take(2)).subscribe({ next: (record) => log.push(`two ${record}`), complete: () => log.push("two over") });
  stream.next(2);
  all$.subscribe((record) => {
    // Comes while a record is handed out, and must not get that one; leaves while one is.
    if (record === 4) listen("inner");
    if (record === 5) first.unsubscribe();
  });
  for (const record of [3, 4, 5, 6]) stream.next(record);
  stream.complete();
  stream.complete();
  listen("late");
  return log;
}

it("hands records to those that are there, in their order, and completes those that come late", () => {
  const subject = new Subject<number>();
  const stream = new RecordStream<number>();
  const log = seen(stream, () => stream.records$);
  expect(log).toEqual(seen(subject, () => subject.asObservable()));
  expect(log).toContain("inner 5");
  expect(log.filter((line) => line.startsWith("first"))).toEqual([1, 2, 3, 4, 5].map((record) => `first ${record}`));
});
