import assert from "node:assert/strict";
import { numbersScreen } from "../build/app/src/requests-screen.js";
import { breaking } from "./breaking.js";
import { RELEASE, RENAME, elsewhere, someOwned } from "./elsewhere.js";
import { environment, inForce, pause } from "./job.js";

declare const warnings: string[]; // of browser.mjs
const { url, authorization } = environment();
const lines: string[] = [];
const shown = (text: string) => lines.some((line) => line.includes(text));
const told = (kind: string) => lines.filter((line) => line.startsWith(kind)).length;

const wire = await breaking(url);
const stop = await numbersScreen(wire.url, authorization, "55", (line) => void lines.push(line));
const { id: sid, phoneNumber } = await someOwned();
const rename = (friendlyName: string) => elsewhere(RENAME, { sid, friendlyName });
async function until(text: string): Promise<void> {
  for (let tried = 0; !shown(text); tried += 1) {
    assert(tried < 30_000, `${text} is not shown`);
    await pause(10);
  }
}
await inForce(() => told("CONFIGURED") > 0, rename);
wire.break();
await rename("Meanwhile");
wire.mend();
await until("Meanwhile");
const before = told("CONFIGURED");
await inForce(() => told("CONFIGURED") > before, rename);
await elsewhere(RELEASE, { sid, phoneNumber });
await until("RELEASED");
stop();
await new Promise((resolve) => process.stdout.write(JSON.stringify({ lines, warnings }), resolve));
process.exit(0);
