// Each client reads an answer in parts, or over a WebSocket, between many signs of life.
import assert from "node:assert/strict";
import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { Defer20220824Handler, GraphQL17Alpha9Handler } from "@apollo/client/incremental";
import { createFetchMultipartSubscription } from "@apollo/client/utilities/subscriptions/relay";
import { Client, fetchExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import { meros } from "meros/browser";
import { WebSocket } from "ws";

const { GATEWAY_URL: url, ACCOUNT_SID, AUTH_TOKEN } = process.env;
const headers = { authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}` };
const QUERY = `{
  phoneNumbers(first: 2) { nodes {
    sid ... @defer(label: "late") { similarAvailable(within: REGION, first: 1) { nodes { phoneNumber } } }
  } }
}`;
const CHANGES = "subscription { phoneNumberChanged { id numberId } }";
const CONFIGURE = `mutation ($input: ConfigurePhoneNumberInput!) {
  configurePhoneNumber(input: $input) { userErrors { message } }
}`;

const readers = {
  apollo: (incrementalHandler) => {
    const client = new ApolloClient({
      link: new HttpLink({ uri: url, headers }),
      incrementalHandler,
      cache: new InMemoryCache(),
    });
    return new Promise((resolve, reject) => {
      client.watchQuery({ query: gql(QUERY), errorPolicy: "none" }).subscribe({
        next: ({ data, dataState, error }) => {
          if (error) reject(error);
          if (dataState === "complete") resolve(data);
        },
        error: reject,
      });
    });
  },
  urql: () => {
    const client = new Client({ url, preferGetMethod: false, fetchOptions: { headers }, exchanges: [fetchExchange] });
    return new Promise((resolve, reject) => {
      client.query(QUERY, {}).subscribe(({ data, error, hasNext }) => {
        if (error) reject(error);
        if (!hasNext) resolve(data);
      });
    });
  },
  // As apps with Relay do: it wants data in the first payload, and a path and data in all others.
  relay: async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", accept: "multipart/mixed;deferSpec=20220824" },
      body: JSON.stringify({ query: QUERY }),
    });
    const payloads = [];
    for await (const part of await meros(response)) {
      assert(part.json);
      payloads.push(...(part.body.incremental ?? [part.body]));
    }
    const [first, ...late] = payloads;
    for (const { path, label, data } of late) {
      assert.equal(label, "late");
      Object.assign(path.reduce((at, step) => at[step], first.data), data);
    }
    return first.data;
  },
};

function changeHeardByRelay() {
  const follow = createFetchMultipartSubscription(url, { headers });
  return new Promise((resolve, reject) => {
    const changing = setInterval(async () => {
      const input = { sid: process.env.OWNED_SID, configuration: { friendlyName: "Front desk" } };
      await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ query: CONFIGURE, variables: { input } }),
      });
    }, 200);
    follow({ name: undefined, text: CHANGES }, {}).subscribe({
      next: ({ data, errors }) => {
        clearInterval(changing);
        if (errors) reject(errors);
        else resolve(data.phoneNumberChanged.numberId);
      },
      error: reject,
    });
  });
}

/** What comes between pings is read. */
async function seenByWebSocket() {
  let pings = 0;
  const { promise, resolve } = deferred();
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: headers,
    lazy: false,
    on: { ping: (received) => { if (received && ++pings === 20) resolve(); } },
    onNonLazyError: (error) => { throw error; },
    retryAttempts: 0,
  });
  await promise;
  for await (const { data } of client.iterate({ query: "{ account { sid } }" })) return data.account.sid;
}

function deferred() {
  let resolve;
  return { promise: new Promise((each) => { resolve = each; }), resolve };
}

const [socket, apollo, apolloOfToday, urql, relay, heard] = await Promise.all([
  seenByWebSocket(),
  readers.apollo(new Defer20220824Handler()),
  readers.apollo(new GraphQL17Alpha9Handler()),
  readers.urql(),
  readers.relay(),
  changeHeardByRelay(),
]);
const similar = (data) => data.phoneNumbers.nodes.map((node) => node.similarAvailable.nodes.length);
const read = { apollo, apolloOfToday, urql, relay };
const report = { ...Object.fromEntries(Object.entries(read).map(([name, data]) => [name, similar(data)])), heard, socket };
process.stdout.write(JSON.stringify(report), () => process.exit(0));
