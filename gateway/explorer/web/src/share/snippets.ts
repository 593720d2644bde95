import { getOperationAST } from "graphql";
import type { Headers } from "../credentials";
import type { JsonObject } from "../json";
import { parsed } from "../operation-edits";
import type { Settings } from "../settings";
import { CREDENTIALS, quoted } from "../upstream/curl";

/** What an operation is to be sent from elsewhere. */
export interface Shared {
  query: string;
  variables: JsonObject | null;
  operationName: string | null;
  /** The headers that it was asked with: of those that may be secret, only the names are told. */
  headers: Headers;
}

export interface Language {
  name: string;
  /** The operation in it; credentials are placeholders. */
  write(shared: Shared, url: string, auth: Settings["auth"]): string;
}

export const LANGUAGES: readonly Language[] = [
  { name: "curl", write: curl },
  { name: "fetch", write: fetching },
  { name: "Apollo", write: apollo },
  { name: "urql", write: urql },
];

type Kind = "query" | "mutation" | "subscription";

function kindOf({ query, operationName }: Shared): Kind {
  const document = parsed(query);
  return (document && getOperationAST(document, operationName)?.operation) ?? "query";
}

/** Headers that a client sets by itself, or that have placeholders of their own. */
const LEFT_OUT = ["authorization", "accept", "content-type"];

function others(headers: Headers): string[] {
  return Object.keys(headers)
    .map((name) => name.toLowerCase())
    .filter((name) => !LEFT_OUT.includes(name));
}

/** The name of a variable that holds a header's value. */
function holder(header: string): string {
  return header === "x-account-sid" ? "ACCOUNT_SID" : header.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
}

function curl(shared: Shared, url: string, auth: Settings["auth"]): string {
  const { query, variables, operationName, headers } = shared;
  const body = JSON.stringify(
    { query, ...(variables ? { variables } : {}), ...(operationName ? { operationName } : {}) },
    null,
    2,
  );
  const accept = kindOf(shared) === "subscription" ? "-N -H 'accept: text/event-stream'" : null;
  const who = {
    "pass-through": CREDENTIALS,
    tokens: '-H "authorization: Bearer $TOKEN"',
    open: null,
  }[auth];
  const parts = [
    `curl ${url}`,
    who,
    accept,
    "-H 'content-type: application/json'",
    ...others(headers).map((name) => `-H "${name}: $${holder(name)}"`),
    `--data-binary ${quoted(body)}`,
  ];
  return parts.filter((part) => part !== null).join(" \\\n  ");
}

/** The headers as JavaScript writes them, below `indent`. */
function headersIn(shared: Shared, auth: Settings["auth"], indent: string, json = false): string {
  const who = {
    "pass-through": "authorization: `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}`",
    tokens: "authorization: `Bearer ${TOKEN}`",
    open: null,
  }[auth];
  const lines = [
    json ? '"content-type": "application/json"' : null,
    who,
    ...others(shared.headers).map((name) => `${JSON.stringify(name)}: ${holder(name)}`),
  ].filter((line) => line !== null);
  return lines.length === 0 ? "{}" : `{\n${lines.map((line) => `${indent}  ${line},\n`).join("")}${indent}}`;
}

function placeholders(shared: Shared, auth: Settings["auth"]): string {
  const names = { "pass-through": ["ACCOUNT_SID", "AUTH_TOKEN"], tokens: ["TOKEN"], open: [] }[auth];
  const all = new Set([...names, ...others(shared.headers).map(holder)]);
  return all.size > 0 ? `${[...all].map((name) => `const ${name} = "…";\n`).join("")}\n` : "";
}

/** A text as a template literal. */
function literal(text: string): string {
  return `\`${text.replace(/[\\`]|\$(?=\{)/g, "\\$&")}\``;
}

function json(value: unknown, indent = ""): string {
  return JSON.stringify(value, null, 2).replaceAll("\n", `\n${indent}`);
}

function fetching(shared: Shared, url: string, auth: Settings["auth"]): string {
  const { query, variables, operationName } = shared;
  const subscribes = kindOf(shared) === "subscription";
  const body = [
    `query: QUERY`,
    variables ? `variables: ${json(variables, "    ")}` : null,
    operationName ? `operationName: ${JSON.stringify(operationName)}` : null,
  ].filter((part) => part !== null);
  const head = `${placeholders(shared, auth)}const QUERY = ${literal(query)};\n\n`;
  if (subscribes)
    return `import { createClient } from "graphql-sse";

${head}const client = createClient({ url: "${url}", headers: ${headersIn(shared, auth, "")} });
for await (const result of client.iterate({ query: QUERY${variables ? `, variables: ${json(variables)}` : ""} })) {
  console.log(result);
}
`;
  return `${head}const response = await fetch("${url}", {
  method: "POST",
  headers: ${headersIn(shared, auth, "  ", true)},
  body: JSON.stringify({
${body.map((part) => `    ${part},\n`).join("")}  }),
});
const { data, errors } = await response.json();
`;
}

function apollo(shared: Shared, url: string, auth: Settings["auth"]): string {
  const kind = kindOf(shared);
  const { query, variables } = shared;
  const asked = `{ ${kind === "mutation" ? "mutation" : "query"}: OPERATION${
    variables ? `, variables: ${json(variables)}` : ""
  } }`;
  const run = {
    query: `const { data } = await client.query(${asked});`,
    mutation: `const { data } = await client.mutate(${asked});`,
    subscription: `client.subscribe(${asked}).subscribe(({ data }) => console.log(data));`,
  }[kind];
  return `import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";

${placeholders(shared, auth)}const client = new ApolloClient({
  link: new HttpLink({
    uri: "${url}",
    headers: ${headersIn(shared, auth, "    ")},
  }),
  cache: new InMemoryCache(),
});

const OPERATION = gql${literal(query)};

${run}
`;
}

function urql(shared: Shared, url: string, auth: Settings["auth"]): string {
  const kind = kindOf(shared);
  const { query, variables } = shared;
  const values = variables ? json(variables) : "{}";
  const subscribes = kind === "subscription";
  const run = subscribes
    ? `client.subscription(OPERATION, ${values}).subscribe(({ data, error }) => console.log(data ?? error));`
    : `const { data, error } = await client.${kind}(OPERATION, ${values}).toPromise();`;
  return `import { Client, cacheExchange, fetchExchange, gql${subscribes ? ", subscriptionExchange" : ""} } from "@urql/core";
${subscribes ? 'import { createClient } from "graphql-sse";\n' : ""}
${placeholders(shared, auth)}const url = "${url}";
const headers = ${headersIn(shared, auth, "")};
${subscribes ? "const events = createClient({ url, headers });\n" : ""}const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers },
  exchanges: [
    cacheExchange,
    fetchExchange,
${
  subscribes
    ? `    subscriptionExchange({
      forwardSubscription: ({ query = "", variables }) => ({
        subscribe: (sink) => ({ unsubscribe: events.subscribe({ query, variables }, sink) }),
      }),
    }),
`
    : ""
}  ],
});

const OPERATION = gql${literal(query)};

${run}
`;
}
