import assert from "node:assert/strict";
import { numbersScreen } from "../build/app/src/requests-screen.js";
import { RELEASE, RENAME, elsewhere, someOwned } from "./elsewhere.js";
import { environment, inForce, pause } from "./job.js";

declare const warnings: string[]; // of browser.mjs
const { url, authorization } = environment();
const lines: string[] = [];
const shown = (kind: string) => lines.some((line) => line.startsWith(kind));

const stop = await numbersScreen(url, authorization, "55", (line) => void lines.push(line));
const { id: sid, phoneNumber } = await someOwned();
await inForce(() => shown("CONFIGURED"), (friendlyName) => elsewhere(RENAME, { sid, friendlyName }));
await elsewhere(RELEASE, { sid, phoneNumber });
for (let tried = 0; !shown("RELEASED"); tried += 1) {
  assert(tried < 1500, "what was released elsewhere is not shown");
  await pause(10);
}
stop();
await new Promise((resolve) => process.stdout.write(JSON.stringify({ lines, warnings }), resolve));
process.exit(0);
