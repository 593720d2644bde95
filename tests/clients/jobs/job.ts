// The main job, which every client does in its own way. What it saw goes to stdout as JSON.
import assert from "node:assert/strict";

export interface Owned {
  sid: string;
  phoneNumber: string;
  friendlyName?: string | null;
}
export interface Page {
  sids: string[];
  next: string | null;
}
export interface Change {
  kind: string;
  numberId: string;
}
export interface Client {
  search(): Promise<string>;
  buy(phoneNumber: string): Promise<Owned>;
  configure(sid: string, friendlyName: string): Promise<string>;
  page(first: number, after: string | null): Promise<Page>;
  /** Call `seen` for every change, until the function that is returned is called. */
  follow(seen: (change: Change) => void): () => void;
  release(number: Owned): Promise<string>;
  /** What only this client can show. */
  extras?(number: Owned): Promise<Record<string, unknown>>;
}

/** Where the gateway is, who asks, and the sid of a number that the account owns from the start. */
export function environment(): { url: string; authorization: string; owned: string } {
  const { GATEWAY_URL, ACCOUNT_SID, AUTH_TOKEN, OWNED_SID } = process.env;
  assert(GATEWAY_URL && ACCOUNT_SID && AUTH_TOKEN && OWNED_SID);
  const authorization = `Basic ${btoa(`${ACCOUNT_SID}:${AUTH_TOKEN}`)}`;
  return { url: GATEWAY_URL, authorization, owned: OWNED_SID };
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Nothing tells a client that its subscription is in force, so change a number until it hears of it. */
export async function inForce(heard: () => boolean, change: (name: string) => Promise<unknown>): Promise<void> {
  for (let tried = 0; !heard(); tried += 1) {
    assert(tried < 3000, "the subscription does not come into force");
    await change(`Try ${tried}`);
    await pause(100);
  }
}

export function present<T>(value: T | null | undefined): T {
  assert(value !== null && value !== undefined);
  return value;
}

export function nothingRefused(errors: readonly { message: string }[]): void {
  assert.deepEqual(errors, []);
}

declare const warnings: string[]; // of browser.mjs

export async function run(client: Client): Promise<never> {
  const changes: Change[] = [];
  const stop = client.follow((change) => changes.push(change));
  await inForce(() => changes.length > 0, (name) => client.configure(environment().owned, name));

  const number = await client.buy(await client.search());
  const friendlyName = await client.configure(number.sid, "Front desk");
  const listed: string[] = [];
  let pages = 0;
  for (let after: string | null = null; pages === 0 || after !== null; pages += 1) {
    const page = await client.page(2, after);
    // Caches that merge pages give all that came before, too.
    listed.push(...page.sids.filter((sid) => !listed.includes(sid)));
    after = page.next;
  }
  const extras = (await client.extras?.(number)) ?? {};
  const released = await client.release(number);
  const seen = (): string[] => changes.filter((change) => change.numberId === number.sid).map((change) => change.kind);
  for (let waited = 0; seen().length < 3 && waited < 6000; waited += 1) await pause(50);
  stop();
  const kinds = seen();
  const report = { number, friendlyName, listed, pages, released, kinds, extras, warnings };
  await new Promise((resolve) => process.stdout.write(JSON.stringify(report), resolve));
  process.exit(0);
}
