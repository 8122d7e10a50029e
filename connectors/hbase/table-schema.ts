// What a table is made with. One version of each cell; the rest as HBase has it.
import type { Call } from "./rpc-connection.ts";
import type { FamilySettings } from "./table.ts";

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

/** The call by which a master tells what a table was made with. */
export function describeTableCall(table: string): Call {
  return {
    method: "GetTableDescriptors",
    request: "GetTableDescriptorsRequest",
    response: "GetTableDescriptorsResponse",
    value: { tableNames: [tableNameMessage(table)] },
  };
}

/** What the master answers. */
export interface TableDescriptors {
  readonly tableSchema: readonly {
    readonly columnFamilies: readonly {
      readonly name: Uint8Array;
      readonly attributes: readonly { readonly first: Uint8Array; readonly second: Uint8Array }[];
    }[];
  }[];
}

/** The settings of each family by their names, as text; of a table that is not there, none. */
export function familiesOf({ tableSchema: [schema] }: TableDescriptors): ReadonlyMap<string, FamilySettings> {
  return new Map(
    schema?.columnFamilies.map(({ name, attributes }) => [
      Buffer.from(name).toString(),
      new Map(attributes.map(({ first, second }) => [Buffer.from(first).toString(), Buffer.from(second).toString()])),
    ]),
  );
}

function tableNameMessage(table: string): { namespace: Uint8Array; qualifier: Uint8Array } {
  const [first = "", second] = table.split(":");
  const [namespace, qualifier] = second === undefined ? ["default", first] : [first, second];
  return { namespace: Buffer.from(namespace), qualifier: Buffer.from(qualifier) };
}
