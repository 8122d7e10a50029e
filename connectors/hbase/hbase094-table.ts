// One table of HBase 0.94: what `HBaseTable` promises, by the driver hbase-client. That protocol has no reversed scans:
// such a range is read forwards, all of it, and its last rows are given.
import type { Hbase094Calls, Work094 } from "./hbase094-calls.ts";
import type { Delete, Driver, Long, Put, Result, Scan } from "./load-hbase-client.ts";
import type { CellCondition, FoundRow, HBaseCell, HBaseTable, QualifierRange, RowChange, RowRange } from "./table.ts";

/** Changes of one request, and rows of one answer. */
const AT_ONCE = 500;

/** A table by its name; whether it is there is found out by the first call. */
export class Hbase094Table implements HBaseTable {
  readonly name: string;
  readonly #calls: Hbase094Calls;

  constructor(calls: Hbase094Calls, name: string) {
    this.#calls = calls;
    this.name = name;
  }

  async get(
    row: string,
    family: string,
    qualifiers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly HBaseCell[]> {
    const work = this.#work(`read row ${row}`, false, signal);
    const result = await this.#calls.run<Result | null>(work, (client, { Get }, reply) => {
      const get = new Get(Buffer.from(row));
      for (const qualifier of qualifiers) get.addColumn(family, qualifier);
      client.get(this.name, get, reply);
    });
    return cellsOf(result);
  }

  async getRange(
    row: string,
    { family, from, until, limit }: QualifierRange,
    signal: AbortSignal,
  ): Promise<readonly HBaseCell[]> {
    const work = this.#work(`read row ${row}`, false, signal);
    const scanOf = ({ Scan, filters }: Driver) => {
      const key = Buffer.from(row);
      const scan = new Scan(key, after(key)).addFamily(family);
      scan.setFilter(new filters.ColumnRangeFilter(from, true, until, false));
      // A row in pieces of so many cells, of which the first is wanted.
      scan.batch = limit;
      return scan;
    };
    const [piece] = await this.#scan(scanOf, 1, work);
    return cellsOf(piece);
  }

  async checkAndPut(
    row: string,
    { family, qualifier, expected }: CellCondition,
    cells: readonly HBaseCell[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const work = this.#work(`write row ${row}`, true, signal);
    const key = Buffer.from(row);
    // Nothing expected is, in this protocol, an empty value: it stands for no cell.
    const value = Buffer.from(expected ?? []);
    return await this.#calls.run<boolean>(work, (client, driver, reply) => {
      const put = putOf(driver, { row: key, puts: cells, removals: [] });
      client.checkAndPut(this.name, key, family, qualifier, value, put, reply);
    });
  }

  async write(changes: readonly RowChange[], signal: AbortSignal): Promise<void> {
    for (let at = 0; at < changes.length; at += AT_ONCE) {
      const part = changes.slice(at, at + AT_ONCE);
      const work = this.#work(`write ${part.length} rows`, true, signal);
      await this.#calls.run<void>(work, (client, driver, reply) => {
        const actions = part.flatMap((change) => actionsOf(driver, change));
        client.processBatch(this.name, actions, true, 0, (error, results) => {
          const answers = error ? [] : actions.map((_, index) => results[index] ?? new Error("no answer for a row"));
          reply(error ?? answers.find((answer) => answer instanceof Error), undefined);
        });
      });
    }
  }

  async scan(range: RowRange, signal: AbortSignal): Promise<readonly FoundRow[]> {
    const { from, until, isReversed = false, limit, family, qualifiers = [] } = range;
    const work = this.#work("scan", false, signal);
    const [first, end] = isReversed ? [until.length === 0 ? until : after(until), after(from)] : [from, until];
    const scanOf = ({ Scan }: Driver) => {
      const scan = new Scan(Buffer.from(first), Buffer.from(end));
      if (qualifiers.length === 0) scan.addFamily(family);
      for (const qualifier of qualifiers) scan.addColumn(family, qualifier);
      return scan;
    };
    const results = await this.#scan(scanOf, isReversed ? -limit : limit, work);
    return results.flatMap((result) => {
      const row = result.getRow();
      return row === null ? [] : [{ row: Buffer.from(row), cells: cellsOf(result) }];
    });
  }

  /** At most so many rows; if `limit` is below 0, the last ones, and those in reverse. */
  async #scan(scanOf: (driver: Driver) => Scan, limit: number, work: Work094): Promise<readonly Result[]> {
    const wanted = Math.abs(limit);
    return await this.#calls.run<readonly Result[]>(work, (client, driver, reply) => {
      const scan = scanOf(driver);
      scan.caching = Math.min(limit > 0 ? limit : AT_ONCE, AT_ONCE);
      client.getScanner(this.name, scan, (failure, scanner) => {
        if (failure) return reply(failure, []);
        let found: Result[] = [];
        const end = (error: Error | null | undefined) => {
          scanner.close(() => undefined);
          reply(error, limit < 0 ? found.reverse() : found);
        };
        const more = () => {
          const asked = Math.min(limit > 0 ? wanted - found.length : AT_ONCE, AT_ONCE);
          scanner.next(asked, (error, rows) => {
            const results = (rows ?? []).filter((row) => row !== null);
            found = [...found, ...results];
            if (limit < 0) found = found.slice(-wanted);
            const isEnd = error || results.length < asked || found.length === (limit > 0 ? wanted : -1);
            // Not from within its callback: the driver would go one level deeper at each row.
            if (isEnd) end(error);
            else setImmediate(more);
          });
        };
        more();
      });
    });
  }

  #work(doing: string, writes: boolean, signal: AbortSignal): Work094 {
    return { table: this.name, doing, writes, signal };
  }
}

/** A cluster's call that answers whether there is a table. */
export async function hasTable094(calls: Hbase094Calls, table: string, signal: AbortSignal): Promise<boolean> {
  const work = { table, doing: `look for the table ${table}`, writes: false, signal };
  return await calls.run<boolean>(work, (client, _driver, reply) => {
    client.locateRegion(table, Buffer.alloc(0), false, (error) => {
      if (error?.name === "TableNotFoundException") reply(null, false);
      else reply(error, true);
    });
  });
}

function actionsOf(driver: Driver, change: RowChange): (Put | Delete)[] {
  const actions: (Put | Delete)[] = change.puts.length > 0 ? [putOf(driver, change)] : [];
  if (change.removals.length === 0) return actions;
  const removal = new driver.Delete(Buffer.from(change.row));
  for (const { family, qualifier, stampMs } of change.removals) {
    const stamp = longOf(driver, stampMs);
    if (qualifier === undefined) removal.deleteFamily(family, stamp);
    else removal.deleteColumns(family, qualifier, stamp);
  }
  return [...actions, removal];
}

function putOf(driver: Driver, { row, puts }: RowChange): Put {
  const put = new driver.Put(Buffer.from(row));
  for (const { family, qualifier, value, stampMs } of puts) {
    put.add(family, qualifier, Buffer.from(value), longOf(driver, stampMs));
  }
  return put;
}

/** The driver takes the number 0 for "now". */
function longOf(driver: Driver, value: number): Long {
  return new driver.Put(Buffer.from("any")).ts.constructor.fromNumber(value);
}

function cellsOf(result: Result | null | undefined): HBaseCell[] {
  return (result?.raw() ?? []).map((cell) => ({
    family: cell.getFamily().toString(),
    qualifier: cell.getQualifier().toString(),
    stampMs: cell.getTimestamp().toNumber(),
    value: cell.getValue(),
  }));
}

/** The first row after this one. */
function after(row: Uint8Array): Buffer {
  return Buffer.concat([row, Buffer.from([0])]);
}
