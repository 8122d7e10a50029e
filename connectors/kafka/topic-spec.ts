// What a source's option `topics` may say: names, or a pattern.
import { ConfigError } from "../../runtime/index.ts";

/** What a source's `topics` says, checked. */
export type TopicSpec = readonly string[] | RegExp;

/** Checks `topics`. @throws ConfigError it names nothing */
export function checkTopics(topics: unknown): TopicSpec {
  const hint = 'topics: ["payments"], or a pattern: topics: /^payments-/';
  if (topics instanceof RegExp) return topics;
  const names: unknown[] = Array.isArray(topics) ? topics : [topics];
  const found = names.filter((name) => typeof name === "string" && /^[a-zA-Z0-9._-]{1,249}$/.test(name)) as string[];
  if (names.length > 0 && found.length === names.length) return [...new Set(found)].sort();
  throw new ConfigError("kafkaSource needs topics, by their names or by a pattern", { hint });
}
