// Run by latency.ts: sends records at a steady rate, each with the moment it was handed to the producer in it. What
// falls behind is sent at once, and its wait is not counted. Says how long each took to be acknowledged, in ms, as a
// list. Arguments: brokers, topic, partitions, records a second, seconds.
import { setTimeout as delay } from "node:timers/promises";
import { ProduceAcks, Producer } from "@platformatic/kafka";

const [brokers = "", topic = "", partitionsText, rateText, secondsText] = process.argv.slice(2);
const [partitions, rate, seconds] = [Number(partitionsText), Number(rateText), Number(secondsText)];
const producer = new Producer({ clientId: "bench", bootstrapBrokers: brokers.split(","), retryDelay: 50 });
const sending = new Set<Promise<unknown>>();
const acknowledgedMs: number[] = [];

function send(ids: readonly number[]): void {
  const messages = ids.map((id) => {
    const value = JSON.stringify({ id, sentMs: performance.timeOrigin + performance.now() });
    return { topic, partition: id % partitions, value: Buffer.from(value) };
  });
  const began = performance.now();
  const sent = producer.send({ messages, acks: ProduceAcks.LEADER }).then(() => {
    sending.delete(sent);
    for (const _ of ids) acknowledgedMs.push(performance.now() - began);
  });
  sending.add(sent);
}

await producer.metadata({ topics: [topic] });
const began = performance.now();
for (let next = 0; next < rate * seconds; ) {
  const due = Math.min(rate * seconds, Math.floor(((performance.now() - began) * rate) / 1000));
  if (due > next) send(Array.from({ length: due - next }, (_, index) => next + index));
  next = Math.max(next, due);
  await delay(1);
}
await Promise.all(sending);
await producer.close();
process.stdout.write(JSON.stringify(acknowledgedMs));
