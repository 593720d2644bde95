import { create } from "zustand";
import { persist } from "zustand/middleware";
import { readObject } from "./json";
import type { SandboxAccount, Settings } from "./settings";

export const FIRST_CREDENTIALS = "Give your credentials first.";

export type Headers = Record<string, string>;

/** The `Authorization` header that the upstream, and so the gateway, takes. */
export function basic(account: Pick<SandboxAccount, "sid" | "authToken">): string {
  return `Basic ${btoa(`${account.sid}:${account.authToken}`)}`;
}

/** What the headers editor shows for an account. */
export function headersFor(account: Pick<SandboxAccount, "sid" | "authToken">): string {
  return JSON.stringify({ Authorization: basic(account) }, null, 2);
}

/** Parse the headers editor; null while what it holds is not a JSON object of strings. */
export function readHeaders(text: string): Headers | null {
  const given = readObject(text);
  return given && Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
}

/** The headers of somebody who knows an API key: its secret does not say whose account it is. */
export function keyHeaders(key: string, secret: string, account: string): Headers {
  return { Authorization: basic({ sid: key, authToken: secret }), "X-Account-Sid": account };
}

/** `headers` with `credentials` in place of those before them; whatever else they hold stays. */
export function withCredentials(headers: Headers, credentials: Headers, before: Headers = {}): Headers {
  const gone = new Set(Object.keys({ ...before, ...credentials }).map((name) => name.toLowerCase()));
  const others = Object.entries(headers).filter(([name]) => !gone.has(name.toLowerCase()));
  return { ...credentials, ...Object.fromEntries(others) };
}

/** All that credentials are made of. */
export const ANY_CREDENTIALS: Headers = { Authorization: "", "X-Account-Sid": "" };

/** Whether an operation would be refused for want of credentials. */
export function isLocked(settings: Settings, headersText: string): boolean {
  if (settings.sandbox || settings.auth === "open") return false;
  const headers = readHeaders(headersText);
  return headers !== null && !authorizationOf(headers);
}

/** Header names compare without case. */
function valueOf(headers: Headers, wanted: string): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

export function authorizationOf(headers: Headers): string | undefined {
  return valueOf(headers, "authorization");
}

/** All of `headers` that says who asks, and for which account: where it is equal, so are they. */
export function asker(headers: Headers): string {
  return JSON.stringify([authorizationOf(headers), valueOf(headers, "x-account-sid")]);
}

/** The account that `headers` ask for, where they say it: a token and an API key do not. */
export function accountOf(headers: Headers): string | null {
  const named = valueOf(headers, "x-account-sid") ?? userOf(authorizationOf(headers) ?? "");
  return named && isAccount(named.trim()) ? named.trim() : null;
}

export function isAccount(text: string): boolean {
  return /^AC[0-9a-fA-F]{32}$/.test(text);
}

function userOf(authorization: string): string | null {
  const [, encoded] = /^\s*basic\s+(\S+)/i.exec(authorization) ?? [];
  try {
    return encoded ? (atob(encoded).split(":")[0] ?? null) : null;
  } catch {
    return null;
  }
}

interface Brought {
  /** The headers that a person gave, for all tabs; null before. They live as long as the page. */
  headers: Headers | null;
  /** All that were given: a tab's may be replaced by the next. */
  given: Headers[];
  bring(headers: Headers): void;
}

/** Real credentials: in memory alone, never in the browser's storage. */
export const useBrought = create<Brought>((set) => ({
  headers: null,
  given: [],
  bring: (headers) => set(({ given }) => ({ headers, given: [...given, headers] })),
}));

interface Chosen {
  sid: string | null;
  choose(sid: string): void;
}

/** The sandbox account that people act as. Only its sid is remembered: tokens come from the gateway. */
export const useChosenAccount = create<Chosen>()(
  persist((set) => ({ sid: null, choose: (sid) => set({ sid }) }), { name: "number-gateway:account" }),
);

/** The chosen account, or the first. */
export function currentAccount(accounts: SandboxAccount[], sid: string | null): SandboxAccount | undefined {
  return accounts.find((account) => account.sid === sid) ?? accounts[0];
}

/** Numbers move between a parent and its subaccounts; the sandbox's other accounts stand alone. */
export function transferTarget(
  accounts: SandboxAccount[],
  from: SandboxAccount | undefined,
): SandboxAccount | undefined {
  if (from === undefined) return undefined;
  const parent = from.ownerSid === from.sid ? undefined : from.ownerSid;
  return accounts.find(({ sid, ownerSid }) => sid === parent || (ownerSid === from.sid && sid !== from.sid));
}
