import { textIn } from "../base64url";
import { readObject } from "../json";

/** What a link shares. Headers are no part of it: they may hold credentials. */
export interface Linked {
  query: string;
  /** The text in the variables editor; "" for none. */
  variables: string;
}

const NAME = "operation";

/** A link that opens the explorer with an operation. It is in the fragment, which no server is sent. */
export function linkTo(linked: Linked): string {
  const text = new TextEncoder().encode(JSON.stringify([linked.query, linked.variables]));
  const encoded = btoa(Array.from(text, (byte) => String.fromCharCode(byte)).join(""));
  const url = new URL(location.href);
  url.search = "";
  url.hash = `${NAME}=${encoded.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
  return url.href;
}

/** The operation that the page's address shares, taken out of it; null when it shares none. */
export function takeLinked(): Linked | null {
  const encoded = new URLSearchParams(location.hash.slice(1)).get(NAME);
  if (encoded === null) return null;
  // A reload shall not open it again, over what became of it.
  history.replaceState(null, "", location.pathname + location.search);
  try {
    const parsed: unknown = JSON.parse(textIn(encoded));
    if (!Array.isArray(parsed)) return null;
    const [query, variables] = parsed as unknown[];
    if (typeof query !== "string" || typeof variables !== "string") return null;
    return { query, variables: readObject(variables) ? variables : "" };
  } catch {
    return null; // Cut off on its way.
  }
}
