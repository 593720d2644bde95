import { useEffect } from "react";
import { create } from "zustand";
import { textIn } from "./base64url";
import { asker, authorizationOf, isLocked, readHeaders, useBrought, type Headers } from "./credentials";
import { useFrontTab } from "./front-tab";
import { isObject, objects } from "./json";
import type { Settings } from "./settings";
import { send } from "./wire";

/** Whose the credentials of the tab in front are, as the gateway sees it. */
export type Who =
  | { is: "nobody" | "checking" | "accepted" }
  | { is: "known"; sid: string | null; name: string | null }
  | { is: "refused"; why: string }
  | { is: "unsure"; why: string };

const WHO_AM_I = "query WhoAmI { account { sid friendlyName } }";
/** What the gateway says of credentials that are not good. */
const REFUSED = ["UNAUTHENTICATED", "UPSTREAM_UNAUTHENTICATED"];
/** They are good, but may not do this: a token without the scope, say. */
const GOOD = ["FORBIDDEN"];
/** Milliseconds after the last key in the headers editor. */
const PAUSE = 700;

/** By `asker`: what was found out. It lives as long as the page. */
const useKnown = create<{ byAsker: Record<string, Who> }>(() => ({ byAsker: {} }));

/** Check the credentials of the tab in front, once each: a typing error is told before it costs a run. */
export function useWhoAsks(settings: Settings): Who {
  const headersText = useFrontTab()?.headers ?? "";
  const given = useBrought((state) => state.given);
  const headers = readHeaders(headersText);
  const known = useKnown((state) => (headers ? state.byAsker[asker(headers)] : undefined));
  const locked = settings.sandbox !== null || isLocked(settings, headersText);

  useEffect(() => {
    const sent = readHeaders(headersText);
    if (locked || !sent || useKnown.getState().byAsker[asker(sent)]) return undefined;
    // What comes from the form is whole; what is typed into the headers may not be.
    const pause = given.some((each) => asker(each) === asker(sent)) ? 0 : PAUSE;
    const timer = setTimeout(() => void check(settings.graphqlPath, sent), pause);
    return () => clearTimeout(timer);
  }, [given, headersText, locked, settings.graphqlPath]);

  return locked || !headers ? { is: "nobody" } : (known ?? { is: "checking" });
}

/** Whoever enters credentials again wants them to be checked again. */
export function forgetWho(headers: Headers): void {
  useKnown.setState(({ byAsker: { [asker(headers)]: _, ...others } }) => ({ byAsker: others }));
}

/** Whom a token that was accepted names: its subject, and the first of its accounts. */
function bearerOf(headers: Headers): Who | null {
  const [, payload] = /^\s*bearer\s+[\w-]+\.([\w-]+)\./i.exec(authorizationOf(headers) ?? "") ?? [];
  try {
    const claims: unknown = JSON.parse(textIn(payload ?? ""));
    if (!isObject(claims) || typeof claims.sub !== "string") return null;
    const [sid] = Array.isArray(claims.accounts) ? claims.accounts : [];
    return { is: "known", name: claims.sub, sid: typeof sid === "string" ? sid : null };
  } catch {
    return null;
  }
}

async function check(path: string, headers: Headers): Promise<void> {
  const note = (who: Who) =>
    useKnown.setState(({ byAsker }) => ({ byAsker: { ...byAsker, [asker(headers)]: who } }));
  note({ is: "checking" });
  const { body } = await send(path, { query: WHO_AM_I, operationName: "WhoAmI" }, headers, null);
  const account = isObject(body.data) && isObject(body.data.account) ? body.data.account : null;
  const [error] = objects(body.errors);
  const code = error && isObject(error.extensions) ? String(error.extensions.code) : "";
  const why = String(error?.message ?? "");
  if (account) {
    const name = typeof account.friendlyName === "string" ? account.friendlyName : null;
    note({ is: "known", sid: String(account.sid), name });
  } else if (REFUSED.includes(code)) note({ is: "refused", why });
  else if (!error || GOOD.includes(code)) note(bearerOf(headers) ?? { is: "accepted" });
  else note({ is: "unsure", why });
}
