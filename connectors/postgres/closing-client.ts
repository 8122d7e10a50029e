// The driver's client, but one that closes its socket when connecting fails. The driver itself leaves it open when it
// is the client that gives up (no password, a server that fails its part of SCRAM); the server would wait for the rest
// of the login for a minute, and hold up whoever drops the database.
import type { Client } from "pg";

type OnConnected = (error: Error | null | undefined, client?: Client) => void;

/** What the pool makes its clients of. */
export function closingClient(DriverClient: typeof Client): typeof Client {
  return class ClosingClient extends DriverClient {
    override connect(): Promise<Client>;
    override connect(onConnected: OnConnected): void;
    override connect(onConnected?: OnConnected): Promise<Client> | undefined {
      if (onConnected === undefined) return super.connect();
      super.connect((error: Error | null) => {
        if (error !== null && error !== undefined) this.connection.stream.destroy();
        onConnected(error, this);
      });
      return undefined;
    }
  };
}
