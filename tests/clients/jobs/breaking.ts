// What is between a client and the gateway, and breaks.
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

export interface Wire {
  /** The gateway's address, for the client. */
  url: string;
  /** Break all connections, and let nobody connect. */
  break(): void;
  mend(): void;
  /** Break the next connections that so many answers come on, before the client sees them. */
  lose(answers: number): void;
}

export async function breaking(url: string): Promise<Wire> {
  const { hostname, port, pathname } = new URL(url);
  const sockets = new Set<Socket>();
  let whole = true;
  let losing = 0;
  const server = createServer((client) => {
    if (!whole) return void client.destroy();
    const upstream = connect(Number(port), hostname);
    const end = (): void => {
      for (const socket of [client, upstream]) sockets.delete(socket.destroy());
    };
    for (const socket of [client, upstream]) sockets.add(socket.on("error", end).on("close", end));
    client.on("data", (data) => upstream.write(data));
    upstream.on("data", (data) => {
      if (losing === 0) return void client.write(data);
      losing -= 1;
      end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, hostname, resolve));
  return {
    url: `http://${hostname}:${(server.address() as AddressInfo).port}${pathname}`,
    break() {
      whole = false;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => void (whole = true),
    lose: (answers) => void (losing = answers),
  };
}
