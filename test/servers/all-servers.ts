// The kinds of servers that there are: a new one is a file of its own and a line here.
import { kafka } from "./kafka/server.ts";
import { postgres } from "./postgres/server.ts";
import type { ServerKind } from "./server-kind.ts";

export const allServers: readonly ServerKind[] = [kafka, postgres];
