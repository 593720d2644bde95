import { createElement } from "react";
import { Provider } from "urql";
import { createUrqlClient } from "../build/app/src/urql.js";
import { NumbersScreen } from "../build/app/src/urql-screen.js";
import { breaking } from "./breaking.js";
import { environment } from "./job.js";
import { runScreen } from "./screen.js";

const { url, authorization } = environment();
const wire = await breaking(url);
const client = createUrqlClient(wire.url, authorization);

await runScreen(createElement(Provider, { value: client, children: createElement(NumbersScreen) }), wire, {
  async ask(document, variables) {
    const ask = document.startsWith("mutation") ? client.mutation : client.query;
    const { data, error } = await ask.call(client, document, variables, { requestPolicy: "network-only" }).toPromise();
    if (error) throw error;
    return data;
  },
  cached: (document, variables) => client.readQuery(document, variables)?.data,
});
