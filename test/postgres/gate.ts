// A gate inside of the server: statements that come to a certain row wait there, in the middle of their transaction,
// until the test opens the gate. So a process can be killed or frozen at that very place.
import { Client } from "pg";
import { waitUntil } from "../servers/wait-until.ts";

const WITHIN_MS = 20_000;

export interface GateOptions {
  /** With the right to make triggers on the table. */
  readonly url: string;
  readonly table: string;
  /** Which rows wait, as SQL about `new`. */
  readonly when: string;
}

export interface Gate extends AsyncDisposable {
  /** Waits until a session stands at the gate. */
  reached(): Promise<void>;
  /** Lets through who waits, and everyone after that. */
  open(): Promise<void>;
}

/** Closes a gate. */
export async function closeGate({ url, table, when }: GateOptions): Promise<Gate> {
  const keeper = new Client(url);
  keeper.on("error", () => undefined);
  await keeper.connect();
  const key = Math.floor(Math.random() * 2 ** 31);
  const name = `gate_${key}`;
  await keeper.query(`select pg_advisory_lock(${key})`);
  await keeper.query(`create function ${name}() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(${key}); return null; end'`);
  await keeper.query(`create trigger ${name} after insert or update on ${table} for each row when (${when})
    execute function ${name}()`);
  return {
    async reached() {
      await waitUntil(
        async () =>
          (await keeper.query(`select 1 from pg_locks where locktype = 'advisory' and objid = ${key} and not granted`))
            .rowCount === 1,
        { what: `a session at the gate on ${table}`, withinMs: WITHIN_MS, signal: new AbortController().signal },
      );
    },
    async open() {
      await keeper.query(`select pg_advisory_unlock(${key})`);
    },
    async [Symbol.asyncDispose]() {
      await keeper.query(`select pg_advisory_unlock_all(); drop function ${name} cascade`);
      await keeper.end();
    },
  };
}
