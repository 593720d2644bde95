// A purchase whose answers are lost on the way to the client.
import { buy } from "../build/app/src/urql-buy.js";
import { SEARCH } from "../build/app/src/operations.js";
import { createUrqlClient } from "../build/app/src/urql.js";
import { breaking } from "./breaking.js";
import { environment, present } from "./job.js";

const { url, authorization } = environment();
const wire = await breaking(url);
const client = createUrqlClient(wire.url, authorization);
const { data } = await client.query(SEARCH, { country: "US", first: 1 });
const { phoneNumber } = present(data?.availablePhoneNumbers?.nodes[0]);
wire.lose(2);
const { bought, error } = await buy(client, phoneNumber);
const report = { sid: bought?.phoneNumber?.sid, errors: bought?.userErrors, error: error?.message ?? null };
await new Promise((resolve) => process.stdout.write(JSON.stringify(report), resolve));
process.exit(0);
