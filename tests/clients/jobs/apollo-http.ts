// Apollo Client over HTTP alone: its older form of increments, and subscriptions as multipart.
import assert from "node:assert/strict";
import { ApolloClient, HttpLink, InMemoryCache } from "@apollo/client";
import { Defer20220824Handler } from "@apollo/client/incremental";
import { BUY, CHANGES, NUMBERS, SEARCH } from "../build/app/src/operations.js";
import { DETAILS } from "../build/app/src/details.js";
import { environment, present } from "./job.js";

const { url, authorization } = environment();
const client = new ApolloClient({
  link: new HttpLink({ uri: url, headers: { authorization } }),
  incrementalHandler: new Defer20220824Handler(),
  cache: new InMemoryCache(),
});

const { data } = await client.query({ query: NUMBERS, variables: { first: 1 } });
const { sid } = present(data?.phoneNumbers.edges[0]).node;
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

const change = new Promise<string>((resolve, reject) => {
  client.subscribe({ query: CHANGES }).subscribe({
    next: (result) => resolve(present(result.data).phoneNumberChanged.sid),
    error: reject,
  });
});
await new Promise((resolve) => setTimeout(resolve, 1000));
const found = await client.query({ query: SEARCH, variables: { country: "US", first: 1 } });
const { phoneNumber } = present(found.data?.availablePhoneNumbers.nodes[0]);
const bought = await client.mutate({ mutation: BUY, variables: { input: { phoneNumber } } });
const number = present(bought.data?.purchasePhoneNumber.phoneNumber);
assert.equal(await change, number.sid);
await new Promise((resolve) => process.stdout.write(JSON.stringify({ states }), resolve));
process.exit(0);
