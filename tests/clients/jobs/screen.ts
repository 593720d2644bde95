// A person uses a screen of `docs/clients.md`, in a page without a browser, while somebody else buys and releases.
import assert from "node:assert/strict";
import { type ReactNode, StrictMode, createElement } from "react";
import { createRoot } from "react-dom/client";
import type { Wire } from "./breaking.js";
import { FIND, NARROW, RELEASE_SEVERAL, WIDE, WRITE } from "./answers.js";
import { type Owned, RELEASE, RENAME, elsewhere, someOwned } from "./elsewhere.js";
import { inForce, pause, present } from "./job.js";

declare const warnings: string[]; // of browser.mjs

/** What the cache of a client is asked here, after the screen was used. */
export interface Cache {
  /** Ask the gateway, and keep the answer. */
  ask(document: string, variables: Record<string, unknown>): Promise<unknown>;
  /** What the cache has, without asking anybody; null when something is missing. */
  cached(document: string, variables: Record<string, unknown>): unknown;
}

async function until<T>(found: () => T | undefined | null | false, missing: string): Promise<T> {
  for (let tried = 0; tried < 30_000; tried += 1) {
    const value = found();
    if (value) return value;
    await pause(10);
  }
  assert.fail(`${missing}: ${document.body.innerHTML}\n${warnings.join("\n")}`);
}

function rows(list: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[aria-label="${list}"] > li`)];
}

function owned(digits: string): HTMLElement | undefined {
  return rows("Your numbers").find((row) => row.textContent.includes(digits));
}

function button(name: string, within: ParentNode = document): HTMLButtonElement | undefined {
  return [...within.querySelectorAll("button")].find((each) => each.textContent === name);
}

/** The row of an owned number, on whatever page. */
function shown(digits: string): Promise<HTMLElement> {
  let more = 0;
  return until(() => {
    const row = owned(digits);
    if (!row && rows("Your numbers").length !== more) {
      more = rows("Your numbers").length;
      button("More")?.click();
    }
    return row;
  }, `${digits} is not shown`);
}

function known(cache: Cache, sid: string): boolean {
  return Boolean((cache.cached(FIND, { sid }) as { phoneNumber?: unknown } | null)?.phoneNumber);
}

/** List, search, buy, release, and see what is changed and released elsewhere. */
async function use(cache: Cache, wire: Wire): Promise<void> {
  await until(() => rows("Your numbers").length === 3, "the first page is not shown");
  present(button("More")).click();
  await until(() => rows("Your numbers").length === 4 && !button("More"), "the second page is not shown");

  const digits = present(document.querySelector("input"));
  present(Object.getOwnPropertyDescriptor(Object.getPrototypeOf(digits), "value")?.set).call(digits, "55");
  digits.dispatchEvent(new Event("input", { bubbles: true }));
  present(button("Search")).click();
  const offer = await until(() => rows("For sale").find((row) => button("Buy", row)), "nothing is found");
  const bought = present(/[\d() -]{10,}/.exec(offer.textContent)?.[0]).replace(/\D/g, "");
  present(button("Buy", offer)).click();
  await shown(bought);

  const { id: sid, phoneNumber } = await someOwned();
  await shown(phoneNumber);
  await cache.ask(FIND, { sid });
  assert(known(cache, sid));
  const renamed = () => owned(phoneNumber)?.textContent.includes("Try");
  const rename = (friendlyName: string) => elsewhere(RENAME, { sid, friendlyName });
  await inForce(() => Boolean(renamed()), rename);
  wire.break();
  await rename("Meanwhile");
  wire.mend();
  const told = () => owned(phoneNumber)?.textContent.includes("Meanwhile");
  await until(told, "what was changed while the connection was broken is not shown");
  await inForce(() => Boolean(renamed()), rename);
  await elsewhere(RELEASE, { sid, phoneNumber });
  await until(() => !owned(phoneNumber), "what was released elsewhere is still shown");
  assert(!known(cache, sid), "what was released elsewhere is still kept");

  present(button("Release", await shown(bought))).click();
  await until(() => !owned(bought), "what was released here is still shown");
  assert.deepEqual([...document.querySelectorAll("[role=alert]")].map((alert) => alert.textContent), []);
}

/** Answers with fewer fields and the answers of writes leave what was known before. */
async function askMoreAndLess(cache: Cache, sid: string): Promise<void> {
  const known = await cache.ask(WIDE, { sid });
  await cache.ask(NARROW, { sid });
  assert.deepEqual(cache.cached(WIDE, { sid }), known, "a narrow answer lost what a wide one had said");
  await cache.ask(WRITE, { sid });
  const after = cache.cached(WIDE, { sid });
  assert.notDeepEqual(after, known);
  assert.deepEqual(after, await cache.ask(WIDE, { sid }), "after a write the cache was not what the gateway says");
  const nowhere = { sid: `PN${"0".repeat(32)}` };
  const nothing = await cache.ask(FIND, nowhere);
  assert.equal(present(nothing as { phoneNumber: null }).phoneNumber, null);
  assert.deepEqual(cache.cached(FIND, nowhere), nothing);
}

/** What a plural mutation releases is dropped as well. */
async function releaseSeveral(cache: Cache, { id: sid, phoneNumber }: Owned): Promise<void> {
  await cache.ask(FIND, { sid });
  assert(known(cache, sid));
  await cache.ask(RELEASE_SEVERAL, { items: [{ sid, confirmPhoneNumber: phoneNumber }] });
  assert(!known(cache, sid), "what was released with others is still kept");
}

export async function runScreen(screen: ReactNode, wire: Wire, cache: Cache): Promise<never> {
  createRoot(document.body.appendChild(document.createElement("div"))).render(createElement(StrictMode, null, screen));
  await use(cache, wire);
  await askMoreAndLess(cache, (await someOwned()).id);
  await releaseSeveral(cache, await someOwned());
  await new Promise((resolve) => process.stdout.write(JSON.stringify({ warnings }), resolve));
  process.exit(0);
}
