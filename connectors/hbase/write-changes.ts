// Many rows at once: grouped by region and sent to each region server in requests of bounded size, several servers side
// by side. What a region refused because it is elsewhere by now is sent again to where it is; the rest has happened.
import { mutationOf, regionSpecifier } from "./mutations.ts";
import type { Patience } from "./patience.ts";
import type { RegionCalls } from "./region-calls.ts";
import type { Region } from "./regions.ts";
import { isElsewhere, ServerException } from "./rpc-errors.ts";
import type { RowChange } from "./table.ts";

/** A request's mutations take about so many bytes, and are at most so many. */
const REQUEST_BYTES = 2 * 1024 * 1024;
const REQUEST_MUTATIONS = 5_000;

/** One mutation, and how large it is. */
interface Pending {
  readonly row: Uint8Array;
  readonly mutation: object;
  readonly bytes: number;
}

interface ExceptionMessage {
  readonly name: string;
  readonly value?: Uint8Array;
}

interface MultiResponse {
  readonly regionActionResult: readonly {
    readonly resultOrException: readonly { readonly index?: number; readonly exception?: ExceptionMessage }[];
    readonly exception?: ExceptionMessage;
  }[];
}

/** What one request holds, by region. */
type Request = Map<Region, Pending[]>;

/** What was not done, and why. */
interface Refused {
  readonly pending: readonly Pending[];
  readonly error: unknown;
}

/**
 * Puts and removes, durably.
 * @throws OutcomeUnknownError | TransientError | ConfigError as `HBaseTable.write` has it
 */
export async function writeChanges(
  calls: RegionCalls,
  table: string,
  changes: readonly RowChange[],
  signal: AbortSignal,
): Promise<void> {
  const patience = calls.patience({ table, doing: "write rows", writes: true, signal });
  let pending: readonly Pending[] = changes.flatMap(pendingOf);
  while (pending.length > 0) {
    const requests = await requestsOf(calls, table, pending, patience, signal);
    const refused = (
      await Promise.all(
        [...requests.values()].map(async (ofServer) => {
          const found: Refused[] = [];
          for (const request of ofServer) found.push(...(await send(calls, request, patience, signal)));
          return found;
        }),
      )
    ).flat();
    const [first] = refused;
    if (first === undefined) return;
    for (const region of [...requests.values()].flatMap((ofServer) => ofServer.flatMap((each) => [...each.keys()]))) {
      calls.forget(table, region);
    }
    await patience.wait(refused.find(({ error }) => !isElsewhere(error))?.error ?? first.error);
    pending = refused.flatMap((each) => each.pending);
  }
}

function pendingOf(change: RowChange): Pending[] {
  return mutationOf(change).map((mutation) => ({
    row: change.row,
    mutation,
    bytes: change.puts.reduce((sum, { value }) => sum + value.length + 64, change.row.length),
  }));
}

/** The requests to make, by server. */
async function requestsOf(
  calls: RegionCalls,
  table: string,
  pending: readonly Pending[],
  patience: Patience,
  signal: AbortSignal,
): Promise<Map<string, Request[]>> {
  const requests = new Map<string, Request[]>();
  const sizes = new Map<Request, { bytes: number; mutations: number }>();
  for (const each of pending) {
    const region = await located(calls, table, each.row, patience, signal);
    const server = `${region.server.host}:${region.server.port}`;
    const ofServer = requests.get(server) ?? [];
    requests.set(server, ofServer);
    let request = ofServer.at(-1);
    let size = request && sizes.get(request);
    if (request === undefined || size === undefined || isFull(size)) {
      request = new Map();
      size = { bytes: 0, mutations: 0 };
      sizes.set(request, size);
      ofServer.push(request);
    }
    size.bytes += each.bytes;
    size.mutations++;
    const ofRegion = request.get(region);
    if (ofRegion === undefined) request.set(region, [each]);
    else ofRegion.push(each);
  }
  return requests;
}

function isFull({ bytes, mutations }: { bytes: number; mutations: number }): boolean {
  return bytes >= REQUEST_BYTES || mutations >= REQUEST_MUTATIONS;
}

async function located(
  calls: RegionCalls,
  table: string,
  row: Uint8Array,
  patience: Patience,
  signal: AbortSignal,
): Promise<Region> {
  for (;;) {
    try {
      return await calls.regionOf(table, row, signal);
    } catch (error) {
      await patience.wait(error);
    }
  }
}

/** Makes one request. @returns what was refused and may be sent again; other failures are thrown as they are meant */
async function send(calls: RegionCalls, request: Request, patience: Patience, signal: AbortSignal): Promise<Refused[]> {
  const [first] = request.keys();
  if (first === undefined) return [];
  const actions = [...request.values()];
  const value = {
    regionAction: [...request].map(([region, pending]) => ({
      region: regionSpecifier(region),
      action: pending.map(({ mutation }, index) => ({ index, mutation })),
    })),
  };
  const call = { method: "Multi", request: "MultiRequest", value, response: "MultiResponse" } as const;
  let response: MultiResponse;
  try {
    response = await calls.callRegionServer<MultiResponse>(first.server, call, signal);
  } catch (error) {
    if (isElsewhere(error)) return [{ pending: actions.flat(), error }];
    // It waits for nothing that cannot help, and says what the failure means.
    await patience.wait(error);
    throw error;
  }
  return actions.flatMap((pending, at) => {
    const result = response.regionActionResult[at];
    if (result?.exception !== undefined) return [{ pending, error: exceptionOf(result.exception) }];
    return (result?.resultOrException ?? []).flatMap(({ index = 0, exception }) => {
      const one = pending[index];
      return exception === undefined || one === undefined ? [] : [{ pending: [one], error: exceptionOf(exception) }];
    });
  });
}

function exceptionOf({ name, value = new Uint8Array() }: ExceptionMessage): ServerException {
  return new ServerException({ className: name, stackTrace: Buffer.from(value).toString(), doNotRetry: false });
}
