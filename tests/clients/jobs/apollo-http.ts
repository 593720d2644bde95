// Apollo Client over HTTP alone: its older form of increments, and subscriptions as multipart.
import assert from "node:assert/strict";
import { ApolloClient, HttpLink, InMemoryCache, NetworkStatus } from "@apollo/client";
import { Defer20220824Handler } from "@apollo/client/incremental";
import { BUY, CHANGES, CONFIGURE, NUMBERS, SEARCH } from "../build/app/src/operations.js";
import { DETAILS, SIMILAR } from "../build/app/src/details.js";
import { environment, inForce, present } from "./job.js";

const { url, authorization, owned } = environment();
const client = new ApolloClient({
  link: new HttpLink({ uri: url, headers: { authorization } }),
  incrementalHandler: new Defer20220824Handler(),
  cache: new InMemoryCache(),
});

const { data } = await client.query({ query: NUMBERS, variables: { first: 3 } });
const { sid } = present(data?.phoneNumbers?.edges[0]).node;
const ids = present(present(data).phoneNumbers).edges.map((edge) => edge.node.id);
const states: string[] = [];
await new Promise<void>((resolve, reject) => {
  client.watchQuery({ query: DETAILS, variables: { sid } }).subscribe({
    next: ({ dataState, error }) => {
      if (error) reject(error);
      if (dataState !== "empty") states.push(dataState);
      if (dataState === "complete") resolve();
    },
    error: reject,
  });
});

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

let heard = (_: string): void => undefined;
let first = true;
client.subscribe({ query: CHANGES }).subscribe({
  next: (result) => {
    first = false;
    heard(present(result.data).phoneNumberChanged.numberId);
  },
  error: (error: unknown) => { throw error; },
});
await inForce(
  () => !first,
  (friendlyName) => client.mutate({ mutation: CONFIGURE, variables: { input: { sid: owned, configuration: { friendlyName } } } }),
);
const change = new Promise<string>((resolve) => {
  heard = (sid) => { if (sid !== owned) resolve(sid); };
});
const found = await client.query({ query: SEARCH, variables: { country: "US", first: 1 } });
const { phoneNumber } = present(found.data?.availablePhoneNumbers?.nodes[0]);
const bought = await client.mutate({ mutation: BUY, variables: { input: { phoneNumber } } });
const number = present(bought.data?.purchasePhoneNumber.phoneNumber);
assert.equal(await change, number.sid);
await new Promise((resolve) => process.stdout.write(JSON.stringify({ states, streamed: [streamed[0], streamed.at(-1)] }), resolve));
process.exit(0);
