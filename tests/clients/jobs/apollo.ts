import { type ApolloClient, NetworkStatus } from "@apollo/client";
import { createApolloClient } from "../build/app/src/apollo.js";
import { BUY, CHANGES, CONFIGURE, NUMBERS, RELEASE, SEARCH } from "../build/app/src/operations.js";
import { DETAILS, SIMILAR } from "../build/app/src/details.js";
import { environment, nothingRefused, present, run } from "./job.js";

const { url, authorization } = environment();
const client: ApolloClient = createApolloClient(url, authorization);


await run({
  async search() {
    const { data } = await client.query({ query: SEARCH, variables: { country: "US", first: 1 } });
    return present(data?.availablePhoneNumbers?.nodes[0]).phoneNumber;
  },
  async buy(phoneNumber) {
    const { data } = await client.mutate({ mutation: BUY, variables: { input: { phoneNumber } } });
    nothingRefused(present(data).purchasePhoneNumber.userErrors);
    return present(data?.purchasePhoneNumber.phoneNumber);
  },
  async configure(sid, friendlyName) {
    const input = { sid, configuration: { friendlyName } };
    const { data } = await client.mutate({ mutation: CONFIGURE, variables: { input } });
    nothingRefused(present(data).configurePhoneNumber.userErrors);
    return present(data?.configurePhoneNumber.phoneNumber?.friendlyName);
  },
  async page(first, after) {
    const { data } = await client.query({
      query: NUMBERS,
      variables: { first, after },
      fetchPolicy: "network-only",
    });
    const { edges, pageInfo } = present(data?.phoneNumbers);
    return { sids: edges.map((edge) => edge.node.sid), next: pageInfo.hasNextPage ? present(pageInfo.endCursor) : null };
  },
  follow(onChange) {
    const subscription = client.subscribe({ query: CHANGES }).subscribe({
      next: ({ data }) => onChange(present(data).phoneNumberChanged),
      error: (error: unknown) => { throw error; },
    });
    return () => subscription.unsubscribe();
  },
  async release({ sid, phoneNumber }) {
    const input = { sid, confirmPhoneNumber: phoneNumber };
    const { data } = await client.mutate({ mutation: RELEASE, variables: { input } });
    nothingRefused(present(data).releasePhoneNumber.userErrors);
    return present(data?.releasePhoneNumber.releasedId);
  },
  async extras({ sid }) {
    if (process.argv[2] === "without-details") return {};
    const partial: boolean[] = [];
    const observed = client.watchQuery({ query: DETAILS, variables: { sid } });
    const similar = await new Promise<number>((resolve, reject) => {
      const watching = observed.subscribe({
        next: ({ data, dataState, error }) => {
          if (error) reject(error);
          if (dataState === "streaming") partial.push(!("similarAvailable" in present(data.phoneNumber)));
          if (dataState !== "complete") return;
          resolve(present(data.phoneNumber?.similarAvailable).nodes.length);
          watching.unsubscribe(); // Once it is released, there is nothing to watch.
        },
        error: reject,
      });
    });
    const listed = await client.query({ query: NUMBERS, variables: { first: 3 }, fetchPolicy: "no-cache" });
    const ids = present(listed.data?.phoneNumbers).edges.map((edge) => edge.node.id);
    const streamed: number[] = [];
    await new Promise<void>((resolve, reject) => {
      client.watchQuery({ query: SIMILAR, variables: { ids } }).subscribe({
        next: ({ data, dataState, networkStatus, error }) => {
          if (error) reject(error);
          // What came of a stream counts as complete; the network's status tells of its end.
          if (dataState !== "complete") return;
          streamed.push(data.nodes?.filter((node) => node && "similarAvailable" in node).length ?? 0);
          if (networkStatus === NetworkStatus.ready) resolve();
        },
        error: reject,
      });
    });
    // The mutation's answer must have updated the number wherever the cache has it.
    const cached = client.readQuery({ query: NUMBERS, variables: { first: 2, after: null } });
    const names = cached?.phoneNumbers?.edges.filter((edge) => edge.node.sid === sid).map((edge) => edge.node.friendlyName);
    return { partial, similar, streamed: [streamed[0], streamed.at(-1)], names };
  },
});
