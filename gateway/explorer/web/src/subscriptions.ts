import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { JsonObject } from "./json";
import type { Operation } from "./wire";

/** The code with which a WebSocket is closed that may not be used with these credentials. */
const FORBIDDEN = 4403;

export type Transport = "sse" | "ws";

interface Preference {
  transport: Transport;
  prefer(transport: Transport): void;
}

export const useTransport = create<Preference>()(
  persist((set) => ({ transport: "sse", prefer: (transport) => set({ transport }) }), {
    name: "number-gateway:transport",
  }),
);

/** Follow `operation` until the caller stops iterating. Either library loads when it is first needed. */
export async function subscribe(
  path: string,
  operation: Operation,
  headers: Record<string, string>,
  transport: Transport,
): Promise<AsyncIterableIterator<JsonObject>> {
  const payload = {
    query: operation.query,
    ...(operation.variables ? { variables: operation.variables } : {}),
    ...(operation.operationName ? { operationName: operation.operationName } : {}),
  };
  if (transport === "sse") {
    const { createClient } = await import("graphql-sse");
    return createClient({ url: path, headers, credentials: "omit", retryAttempts: 5 }).iterate(
      payload,
    ) as AsyncIterableIterator<JsonObject>;
  }
  const { createClient } = await import("graphql-ws");
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  // A browser cannot set headers on a WebSocket: they travel in the first message.
  return createClient({ url: url.href, connectionParams: headers, retryAttempts: 5, shouldRetry }).iterate(
    payload,
  ) as AsyncIterableIterator<JsonObject>;
}

/** A connection that broke is made again, not one whose credentials were refused. */
function shouldRetry(fault: unknown): boolean {
  return fault instanceof CloseEvent && fault.code !== FORBIDDEN;
}
