import { print } from "graphql";
import { createRequestClient } from "../build/app/src/requests.js";
import { BUY, CHANGES, CONFIGURE, NUMBERS, RELEASE, SEARCH } from "../build/app/src/operations.js";
import type { ChangesSubscription } from "../build/app/src/gql/graphql.js";
import { environment, nothingRefused, present, run } from "./job.js";

const { url, authorization } = environment();
const { requests, events } = createRequestClient(url, authorization);

await run({
  async search() {
    const { availablePhoneNumbers } = await requests.request(SEARCH, { country: "US", first: 1 });
    return present(availablePhoneNumbers?.nodes[0]).phoneNumber;
  },
  async buy(phoneNumber) {
    const { purchasePhoneNumber } = await requests.request(BUY, { input: { phoneNumber } });
    nothingRefused(purchasePhoneNumber.userErrors);
    return present(purchasePhoneNumber.phoneNumber);
  },
  async configure(sid, friendlyName) {
    const input = { sid, configuration: { friendlyName } };
    const { configurePhoneNumber } = await requests.request(CONFIGURE, { input });
    nothingRefused(configurePhoneNumber.userErrors);
    return present(configurePhoneNumber.phoneNumber?.friendlyName);
  },
  async page(first, after) {
    const { phoneNumbers } = await requests.request(NUMBERS, { first, after });
    const { edges, pageInfo: { hasNextPage, endCursor } } = present(phoneNumbers);
    return { sids: edges.map((edge) => edge.node.sid), next: hasNextPage ? present(endCursor) : null };
  },
  follow(onChange) {
    return events.subscribe<ChangesSubscription>(
      { query: print(CHANGES) },
      {
        next: ({ data }) => onChange(present(data).phoneNumberChanged),
        error: (error) => { throw error; },
        complete: () => undefined,
      },
    );
  },
  async release({ sid, phoneNumber }) {
    const input = { sid, confirmPhoneNumber: phoneNumber };
    const { releasePhoneNumber } = await requests.request(RELEASE, { input });
    nothingRefused(releasePhoneNumber.userErrors);
    return present(releasePhoneNumber.releasedId);
  },
});
