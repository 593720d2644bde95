import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { SandboxAccount } from "./settings";

/** The `Authorization` header that the upstream, and so the gateway, takes. */
export function basic(account: Pick<SandboxAccount, "sid" | "authToken">): string {
  return `Basic ${btoa(`${account.sid}:${account.authToken}`)}`;
}

/** What the headers editor shows for an account. */
export function headersFor(account: Pick<SandboxAccount, "sid" | "authToken">): string {
  return JSON.stringify({ Authorization: basic(account) }, null, 2);
}

/** Parse the headers editor; null while what it holds is not a JSON object of strings. */
export function readHeaders(text: string): Record<string, string> | null {
  if (!text.trim()) return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return null;
    return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]));
  } catch {
    return null;
  }
}

/** Header names compare without case. */
export function authorizationOf(headers: Record<string, string>): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === "authorization")?.[1];
}

interface Chosen {
  sid: string | null;
  choose(sid: string): void;
}

/** The sandbox account that people act as. Only its sid is remembered: tokens come from the gateway. */
export const useChosenAccount = create<Chosen>()(
  persist((set) => ({ sid: null, choose: (sid) => set({ sid }) }), { name: "number-gateway:account" }),
);

/** The chosen account, the first parent, or whatever there is. */
export function currentAccount(accounts: SandboxAccount[], sid: string | null): SandboxAccount | undefined {
  return (
    accounts.find((account) => account.sid === sid) ??
    accounts.find((account) => account.role === "parent") ??
    accounts[0]
  );
}

/** Numbers move between a parent and its subaccounts. */
export function transferTarget(
  accounts: SandboxAccount[],
  from: SandboxAccount | undefined,
): SandboxAccount | undefined {
  const wanted = from?.role === "subaccount" ? "parent" : "subaccount";
  return accounts.find((account) => account.role === wanted && account.sid !== from?.sid);
}
