// What the checkpoint store shares with the sink: the connections to a database, their transactions, and the migration
// of Tidemark's own tables. A closed list.
export { Connections } from "./connections.ts";
export { quoted } from "./failures.ts";
export { JointRows } from "./joint-rows.ts";
export { isMigrated, type Migrations, migrate } from "./migrate.ts";
export { checkIdentifier } from "./table-name.ts";
export type { Transaction } from "./transaction.ts";
