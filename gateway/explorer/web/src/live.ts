import { create } from "zustand";
import { persist } from "zustand/middleware";
import { isObject, type Json, type JsonObject } from "./json";
import { send } from "./wire";

/** What the examples need to run: numbers that can be changed or bought at this moment. */
export interface LiveValues {
  owned: { sid: string; phoneNumber: string }[];
  available: string | null;
  /** An account that a number can be transferred to. */
  otherAccount: string | null;
}

const QUERY = `query ExampleValues {
  phoneNumbers(first: 3) { nodes { sid phoneNumber } }
  availablePhoneNumbers(country: US, first: 1) { nodes { phoneNumber } }
}`;

/** Ask the gateway for values; null when it has none to give, for example without credentials. */
export async function readLiveValues(
  graphqlPath: string,
  headers: Record<string, string>,
  otherAccount: string | null,
): Promise<LiveValues | null> {
  try {
    const { body } = await send(graphqlPath, { query: QUERY, operationName: "ExampleValues" }, headers, null);
    const data = isObject(body.data) ? body.data : {};
    const owned = nodes(data.phoneNumbers).map((node) => ({
      sid: String(node.sid),
      phoneNumber: String(node.phoneNumber),
    }));
    const available = nodes(data.availablePhoneNumbers)[0]?.phoneNumber;
    return { owned, available: typeof available === "string" ? available : null, otherAccount };
  } catch {
    return null;
  }
}

function nodes(connection: Json | undefined): JsonObject[] {
  return isObject(connection) && Array.isArray(connection.nodes) ? connection.nodes.filter(isObject) : [];
}

interface Filled {
  /** By name of the example: the variables that were filled in last. Anything else is a person's own. */
  texts: Record<string, string>;
  remember(name: string, text: string): void;
}

export const useFilled = create<Filled>()(
  persist(
    (set) => ({
      texts: {},
      remember: (name, text) => set(({ texts }) => ({ texts: { ...texts, [name]: text } })),
    }),
    { name: "number-gateway:filled" },
  ),
);
