// The records of one task as an Observable: a Subject that does less for each record. Mostly one operator listens, and
// then a record is handed to that alone. Whoever subscribes late gets what comes after, as with a Subject.
import { Observable, type Subscriber } from "rxjs";

/** Hands records to whoever has subscribed, in the order of subscription. */
export class RecordStream<T> {
  readonly records$: Observable<T>;
  /** Replaced, never changed, so that a record goes to those that were there when it came. */
  #subscribers: readonly Subscriber<T>[] = [];
  #isComplete = false;

  constructor() {
    this.records$ = new Observable<T>((subscriber) => {
      if (this.#isComplete) return subscriber.complete();
      this.#subscribers = [...this.#subscribers, subscriber];
      return () => {
        this.#subscribers = this.#subscribers.filter((other) => other !== subscriber);
      };
    });
  }

  next(record: T): void {
    const subscribers = this.#subscribers;
    const only = subscribers[0];
    if (only !== undefined && subscribers.length === 1) only.next(record);
    else for (const subscriber of subscribers) subscriber.next(record);
  }

  /** There are no more. */
  complete(): void {
    this.#isComplete = true;
    for (const subscriber of this.#subscribers) subscriber.complete();
  }
}
