import { gql } from "@apollo/client";
import { ApolloProvider } from "@apollo/client/react";
import { createElement } from "react";
import { createApolloClient } from "../build/app/src/apollo.js";
import { NumbersScreen } from "../build/app/src/apollo-screen.js";
import { breaking } from "./breaking.js";
import { environment } from "./job.js";
import { runScreen } from "./screen.js";

const { url, authorization } = environment();
const wire = await breaking(url);
const client = createApolloClient(wire.url, authorization);

await runScreen(createElement(ApolloProvider, { client, children: createElement(NumbersScreen) }), wire, {
  async ask(document, variables) {
    const definition = gql(document);
    if (document.startsWith("mutation")) return (await client.mutate({ mutation: definition, variables })).data;
    return (await client.query({ query: definition, variables, fetchPolicy: "network-only" })).data;
  },
  cached: (document, variables) => client.readQuery({ query: gql(document), variables }),
});
