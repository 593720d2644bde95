// Runs the audits of the package graphql-http against a server and writes their results as JSON.
// Usage: node audits.mjs URL AUTHORIZATION
import { serverAudits } from "graphql-http";

const [url, authorization] = process.argv.slice(2);
// GETs show that no page of another site made a browser send them.
const shown = { authorization, "apollo-require-preflight": "true" };
const fetchFn = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, ...shown } });

const results = {};
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  results[audit.id] = { name: audit.name, status: result.status, reason: result.reason ?? null };
}
process.stdout.write(JSON.stringify(results));
