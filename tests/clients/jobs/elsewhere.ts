// What somebody else does, with another client.
import assert from "node:assert/strict";
import { environment, present } from "./job.js";

export const RENAME = `mutation ($sid: ID!, $friendlyName: String!) {
  configurePhoneNumber(input: { sid: $sid, configuration: { friendlyName: $friendlyName } }) { userErrors { message } }
}`;
export const RELEASE = `mutation ($sid: ID!, $phoneNumber: E164!) {
  releasePhoneNumber(input: { sid: $sid, confirmPhoneNumber: $phoneNumber }) { userErrors { message } }
}`;

export async function elsewhere<T>(query: string, variables: Record<string, unknown>): Promise<T> {
  const { url, authorization } = environment();
  const response = await fetch(url, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
  assert.equal(errors, undefined);
  return data;
}

export interface Owned {
  id: string;
  phoneNumber: string;
}

/** The first number that the account owns now. */
export async function someOwned(): Promise<Owned> {
  const query = "{ phoneNumbers(first: 1) { nodes { id phoneNumber } } }";
  const { phoneNumbers } = await elsewhere<{ phoneNumbers: { nodes: Owned[] } }>(query, {});
  return present(phoneNumbers.nodes[0]);
}
