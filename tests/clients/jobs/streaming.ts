// Everything over one streaming client: `graphql-ws` or `graphql-sse`, by the first argument.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { BUY, CHANGES, CONFIGURE, NUMBERS, RELEASE, SEARCH } from "../build/app/src/operations.js";
import { environment, nothingRefused, present, run } from "./job.js";

const { url, authorization } = environment();
const client =
  process.argv[2] === "graphql-ws"
    ? createSocketClient({ url: url.replace(/^http/, "ws"), connectionParams: { authorization } })
    : createEventClient({ url, headers: { authorization } });

interface Sink<T> {
  next(value: { data?: T | null; errors?: readonly unknown[] }): void;
  error(error: unknown): void;
  complete(): void;
}

function subscribe<T, V>(document: TypedDocumentNode<T, V>, variables: V, sink: Sink<T>): () => void {
  const payload = { query: print(document), variables: variables as Record<string, unknown> };
  return client.subscribe<T>(payload, sink as never);
}

function once<T, V>(document: TypedDocumentNode<T, V>, variables: V): Promise<T> {
  return new Promise((resolve, reject) => {
    let last: T | null | undefined;
    subscribe(document, variables, {
      next: ({ data, errors }) => (errors ? reject(new Error(JSON.stringify(errors))) : (last = data)),
      error: reject,
      complete: () => resolve(present(last)),
    });
  });
}

await run({
  async search() {
    const { availablePhoneNumbers } = await once(SEARCH, { country: "US", first: 1 });
    return present(availablePhoneNumbers?.nodes[0]).phoneNumber;
  },
  async buy(phoneNumber) {
    const { purchasePhoneNumber } = await once(BUY, { input: { phoneNumber } });
    nothingRefused(purchasePhoneNumber.userErrors);
    return present(purchasePhoneNumber.phoneNumber);
  },
  async configure(sid, friendlyName) {
    const { configurePhoneNumber } = await once(CONFIGURE, { input: { sid, configuration: { friendlyName } } });
    nothingRefused(configurePhoneNumber.userErrors);
    return present(configurePhoneNumber.phoneNumber?.friendlyName);
  },
  async page(first, after) {
    const { phoneNumbers } = await once(NUMBERS, { first, after });
    const { edges, pageInfo: { hasNextPage, endCursor } } = present(phoneNumbers);
    return { sids: edges.map((edge) => edge.node.sid), next: hasNextPage ? present(endCursor) : null };
  },
  follow(onChange) {
    return subscribe(CHANGES, {}, {
      next: ({ data }) => onChange(present(data).phoneNumberChanged),
      error: (error) => { throw error; },
      complete: () => undefined,
    });
  },
  async release({ sid, phoneNumber }) {
    const { releasePhoneNumber } = await once(RELEASE, { input: { sid, confirmPhoneNumber: phoneNumber } });
    nothingRefused(releasePhoneNumber.userErrors);
    return present(releasePhoneNumber.releasedId);
  },
});
