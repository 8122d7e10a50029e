// One table of HBase 2.x: what `HBaseTable` promises, as RPC calls. Mutations are synced to disk before they are
// answered (FSYNC_WAL), whatever the table's own setting.

import { encode, type ResultMessage } from "./messages.ts";
import { cellOf, conditionOf, mutationOf, regionSpecifier } from "./mutations.ts";
import type { RegionCalls } from "./region-calls.ts";
import type { Region } from "./regions.ts";
import type { Call } from "./rpc-connection.ts";
import type { CellCondition, FoundRow, HBaseCell, HBaseTable, QualifierRange, RowChange, RowRange } from "./table.ts";
import { writeChanges } from "./write-changes.ts";

interface GetResponse {
  readonly result?: ResultMessage;
}

interface ScanResponse {
  readonly results: readonly ResultMessage[];
  readonly moreResultsInRegion?: boolean;
}

/** A table by its name; whether it is there is found out by the first call. */
export class RpcTable implements HBaseTable {
  readonly name: string;
  readonly #calls: RegionCalls;

  constructor(calls: RegionCalls, name: string) {
    this.#calls = calls;
    this.name = name;
  }

  async get(
    row: string,
    family: string,
    qualifiers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly HBaseCell[]> {
    const column = [{ family: Buffer.from(family), qualifier: qualifiers.map((name) => Buffer.from(name)) }];
    return await this.#get(row, { column }, signal);
  }

  async getRange(
    row: string,
    { family, from, until, limit }: QualifierRange,
    signal: AbortSignal,
  ): Promise<readonly HBaseCell[]> {
    const range = {
      minColumn: Buffer.from(from),
      minColumnInclusive: true,
      maxColumn: Buffer.from(until),
      maxColumnInclusive: false,
    };
    const filter = {
      name: "org.apache.hadoop.hbase.filter.ColumnRangeFilter",
      serializedFilter: encode("ColumnRangeFilter", range),
    };
    return await this.#get(row, { column: [{ family: Buffer.from(family) }], filter, storeLimit: limit }, signal);
  }

  async checkAndPut(
    row: string,
    condition: CellCondition,
    cells: readonly HBaseCell[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const key = Buffer.from(row);
    const [mutation] = mutationOf({ row: key, puts: cells, removals: [] });
    const callOf = (region: Region): Call => ({
      method: "Mutate",
      request: "MutateRequest",
      response: "MutateResponse",
      value: { region: regionSpecifier(region), mutation, condition: conditionOf(key, condition) },
    });
    const options = { table: this.name, doing: `write row ${row}`, writes: true, signal };
    const { value } = await this.#calls.onRegion<{ processed?: boolean }>(key, callOf, options);
    return value.processed ?? false;
  }

  async write(changes: readonly RowChange[], signal: AbortSignal): Promise<void> {
    await writeChanges(this.#calls, this.name, changes, signal);
  }

  async scan(range: RowRange, signal: AbortSignal): Promise<readonly FoundRow[]> {
    const found: FoundRow[] = [];
    let step: Step | undefined = { within: range.from, from: range.from, isAfter: false };
    while (step !== undefined && found.length < range.limit) {
      step = await this.#scanStep(step, range, found, signal);
    }
    return found;
  }

  /** Adds what one region has, as far as it answers at once. @returns the next step */
  async #scanStep(step: Step, range: RowRange, found: FoundRow[], signal: AbortSignal): Promise<Step | undefined> {
    const part = { ...range, from: step.from, limit: range.limit - found.length };
    const callOf = (region: Region) => scanCall(region, part, step.isAfter);
    const work = { table: this.name, doing: "scan", writes: false, signal };
    const { region, value } = await this.#calls.onRegion<ScanResponse>(step.within, callOf, work);
    const rows = value.results.flatMap(rowOf);
    found.push(...rows);
    const last = rows.at(-1)?.row;
    if (value.moreResultsInRegion === true && last !== undefined) return { within: last, from: last, isAfter: true };
    return await this.#stepBeyond(region, range, signal);
  }

  /** Where a scan goes on when a region has no more; undefined: nowhere. */
  async #stepBeyond(region: Region, range: RowRange, signal: AbortSignal): Promise<Step | undefined> {
    const { start, end } = region;
    const { until, isReversed = false } = range;
    if (!isReversed) {
      const isLast = end.length === 0 || (until.length > 0 && Buffer.compare(end, until) >= 0);
      return isLast ? undefined : { within: end, from: end, isAfter: false };
    }
    if (start.length === 0 || Buffer.compare(start, until) <= 0) return undefined;
    const before = await this.#calls.regionBefore(this.name, region, signal);
    return { within: before.start, from: start, isAfter: true };
  }

  async #get(row: string, what: object, signal: AbortSignal): Promise<readonly HBaseCell[]> {
    const key = Buffer.from(row);
    const callOf = (region: Region): Call => ({
      method: "Get",
      request: "GetRequest",
      response: "GetResponse",
      value: { region: regionSpecifier(region), get: { row: key, ...what } },
    });
    const options = { table: this.name, doing: `read row ${row}`, writes: false, signal };
    const { value } = await this.#calls.onRegion<GetResponse>(key, callOf, options);
    return (value.result?.cell ?? []).map(cellOf);
  }
}

/** The next piece of a scan. */
interface Step {
  /** A row of the region to ask. */
  readonly within: Uint8Array;
  readonly from: Uint8Array;
  /** Whether `from` itself has been dealt with. */
  readonly isAfter: boolean;
}

function scanCall(region: Region, range: RowRange, isAfter: boolean): Call {
  const { from, until, limit, isReversed = false, family, qualifiers = [] } = range;
  return {
    method: "Scan",
    request: "ScanRequest",
    response: "ScanResponse",
    value: {
      region: regionSpecifier(region),
      scan: {
        column: [{ family: Buffer.from(family), qualifier: qualifiers.map((name) => Buffer.from(name)) }],
        startRow: from,
        stopRow: until,
        includeStartRow: !isAfter,
        reversed: isReversed,
        caching: limit,
      },
      numberOfRows: limit,
      limitOfRows: limit,
      closeScanner: true,
    },
  };
}

function rowOf({ cell }: ResultMessage): FoundRow[] {
  const [first] = cell;
  return first?.row === undefined ? [] : [{ row: Buffer.from(first.row), cells: cell.map(cellOf) }];
}
