import { createBackend } from "../build/app/src/bff.js";

const [manifest, token] = process.argv.slice(2) as [string, string];
const backend = createBackend(process.env["GATEWAY_URL"] ?? "", manifest);
const variables = { country: "US", filter: { contains: "55" } };
const report = { price: await backend.price(variables, token), screen: await backend.screen(variables, token) };
process.stdout.write(JSON.stringify(report));
