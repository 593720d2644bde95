import { isObject, objects, type Json, type JsonObject } from "./json";
import { type Owned } from "./touched";
import { send } from "./wire";

/** What the examples need to run: what there is at this moment. */
export interface LiveValues {
  /** Numbers that the account owns: one of them may be chosen. */
  owned: Owned[];
  /** The one that was chosen, or touched last. */
  chosen: Owned | null;
  /** A number for sale. */
  available: string | null;
  /** An account that a number can be transferred to. */
  otherAccount: string | null;
}

const QUERIES = {
  owned: "query OwnedNumbers { phoneNumbers(first: 50) { nodes { sid phoneNumber accountSid } } }",
  "for sale":
    "query NumberForSale { availablePhoneNumbers(country: US, first: 1) { nodes { phoneNumber } } }",
};

/** Ask the gateway for numbers of a kind; none when it has none to give, for example without credentials. */
export async function readNumbers(
  kind: keyof typeof QUERIES,
  graphqlPath: string,
  headers: Record<string, string>,
): Promise<Pick<LiveValues, "owned" | "available">> {
  const { body } = await send(graphqlPath, { query: QUERIES[kind] }, headers, null);
  const data = isObject(body.data) ? body.data : {};
  const owned = nodes(data.phoneNumbers).map(({ sid, phoneNumber, accountSid }) => ({
    sid: String(sid),
    phoneNumber: String(phoneNumber),
    accountSid: String(accountSid),
  }));
  const available = nodes(data.availablePhoneNumbers)[0]?.phoneNumber;
  return { owned, available: typeof available === "string" ? available : null };
}

export function nodes(connection: Json | undefined): JsonObject[] {
  return isObject(connection) ? objects(connection.nodes) : [];
}
