import type { AnyVariables, OperationResult } from "@urql/core";
import { createUrqlClient } from "../build/app/src/urql.js";
import { BUY, CHANGES, CONFIGURE, NUMBERS, RELEASE, SEARCH } from "../build/app/src/operations.js";
import { DETAILS, SIMILAR } from "../build/app/src/details.js";
import type { NumbersQuery } from "../build/app/src/gql/graphql.js";
import { environment, nothingRefused, present, run } from "./job.js";

const { url, authorization } = environment();
const client = createUrqlClient(url, authorization);

function data<T, V extends AnyVariables>(result: OperationResult<T, V>): T {
  if (result.error) throw result.error;
  return present(result.data);
}

await run({
  async search() {
    const found = data(await client.query(SEARCH, { country: "US", first: 1 }).toPromise());
    return present(found.availablePhoneNumbers?.nodes[0]).phoneNumber;
  },
  async buy(phoneNumber) {
    const { purchasePhoneNumber } = data(await client.mutation(BUY, { input: { phoneNumber } }).toPromise());
    nothingRefused(purchasePhoneNumber.userErrors);
    return present(purchasePhoneNumber.phoneNumber);
  },
  async configure(sid, friendlyName) {
    const input = { sid, configuration: { friendlyName } };
    const { configurePhoneNumber } = data(await client.mutation(CONFIGURE, { input }).toPromise());
    nothingRefused(configurePhoneNumber.userErrors);
    return present(configurePhoneNumber.phoneNumber?.friendlyName);
  },
  async page(first, after) {
    const { phoneNumbers } = data(await client.query(NUMBERS, { first, after }).toPromise());
    const { edges, pageInfo: { hasNextPage, endCursor } } = present(phoneNumbers);
    return { sids: edges.map((edge) => edge.node.sid), next: hasNextPage ? present(endCursor) : null };
  },
  follow(onChange) {
    const { unsubscribe } = client.subscription(CHANGES, {}).subscribe((result) => {
      onChange(data(result).phoneNumberChanged);
    });
    return unsubscribe;
  },
  async release({ sid, phoneNumber }) {
    const input = { sid, confirmPhoneNumber: phoneNumber };
    const { releasePhoneNumber } = data(await client.mutation(RELEASE, { input }).toPromise());
    nothingRefused(releasePhoneNumber.userErrors);
    return present(releasePhoneNumber.releasedId);
  },
  async extras({ sid }) {
    const partial: boolean[] = [];
    let watching = { unsubscribe: (): void => undefined };
    const similar = await new Promise<number>((resolve) => {
      watching = client.query(DETAILS, { sid }).subscribe((result) => {
        const number = present(data(result).phoneNumber);
        if (result.hasNext) partial.push(!number.similarAvailable);
        else resolve(present(number.similarAvailable).nodes.length);
      });
    });
    watching.unsubscribe(); // Once it is released, there is nothing to watch.
    const { phoneNumbers } = data(await client.query(NUMBERS, { first: 3 }, { requestPolicy: "network-only" }).toPromise());
    const { edges } = present(phoneNumbers);
    const ids = edges.map((edge) => edge.node.id).slice(0, 3);
    const streamed: number[] = [];
    await new Promise<void>((resolve) => {
      client.query(SIMILAR, { ids }).subscribe((result) => {
        const { nodes } = data(result);
        streamed.push(present(nodes).filter((node) => node && "similarAvailable" in node).length);
        if (!result.hasNext) resolve();
      });
    });
    // The mutation's answer must have updated the number wherever the cache has it.
    let names: unknown[] = [];
    for (let after: string | null = null; names.length === 0; ) {
      const cached: NumbersQuery = present(client.readQuery(NUMBERS, { first: 2, after })?.data);
      const { edges, pageInfo } = present(cached.phoneNumbers);
      names = edges.filter((edge) => edge.node.sid === sid).map((edge) => edge.node.friendlyName);
      after = pageInfo.endCursor ?? null;
    }
    return { partial, similar, streamed: [streamed[0], streamed.at(-1)], names };
  },
});
