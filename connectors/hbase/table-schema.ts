// What a table is made with. One version of each cell; the rest as HBase has it.
import type { Call } from "./rpc-connection.ts";

/** The call by which a master makes a table with these families. */
export function createTableCall(table: string, families: readonly string[]): Call {
  return {
    method: "CreateTable",
    request: "CreateTableRequest",
    response: "CreateTableResponse",
    value: {
      tableSchema: {
        tableName: tableNameMessage(table),
        columnFamilies: families.map((family) => ({
          name: Buffer.from(family),
          attributes: [{ first: Buffer.from("VERSIONS"), second: Buffer.from("1") }],
        })),
      },
    },
  };
}

function tableNameMessage(table: string): { namespace: Uint8Array; qualifier: Uint8Array } {
  const [first = "", second] = table.split(":");
  const [namespace, qualifier] = second === undefined ? ["default", first] : [first, second];
  return { namespace: Buffer.from(namespace), qualifier: Buffer.from(qualifier) };
}
