/** Lists that go on: where an answer says that there is more, and how to fetch it. */
import { useAnswers, type Shown } from "../answers";
import { factsOf } from "../fetcher";
import { isObject, objects, type Json, type JsonObject } from "../json";
import { withValue } from "../operation-edits";
import type { Ask } from "./deeds";
import { WRAPPERS } from "./rows";

/** A connection whose last page is not loaded yet. */
export interface Page {
  /** The response path of the connection. */
  path: string[];
  /** The cursor to go on from. */
  after: string;
}

/** By path of the list, as `RowSet` has it: what can be loaded. Lists within lists have many cursors, and none. */
export function pagesOf(data: Json): Map<string, Page> {
  const pages = new Map<string, Page>();
  const visit = (value: Json, path: string[]) => {
    if (!isObject(value)) return;
    const after = cursorOf(value);
    if (after !== null) pages.set(path.filter((key) => !WRAPPERS.has(key)).join("."), { path, after });
    for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
  };
  visit(data, []);
  return pages;
}

/** The end of a connection that has a next page; null for any other object. */
function cursorOf(connection: JsonObject): string | null {
  const info = Object.values(connection).find((each) => isObject(each) && each.hasNextPage === true);
  const edges = Array.isArray(connection.edges) ? connection.edges : [];
  if (!isObject(info) || !("nodes" in connection || "edges" in connection)) return null;
  const last = edges.at(-1);
  const said = [info.endCursor, isObject(last) ? last.cursor : null];
  return said.find((each) => typeof each === "string") ?? null;
}

/**
 * Run the same query from the page's cursor on, and append what comes to the rows that are shown. Returns why
 * nothing came, or null.
 */
export async function loadMore(shown: Shown, page: Page, ask: Ask): Promise<string | null> {
  const operation = withValue(shown.operation, page.path, ["after"], page.after);
  const answer = await ask(operation, shown.headers, "traced");
  const { body, facts } = factsOf("query", answer);
  const next = page.path.reduce<Json | undefined>(stepInto, body.data);
  if (!isObject(next)) return messageOf(body.errors);
  const { byTab, record } = useAnswers.getState();
  const [tab, known] = Object.entries(byTab).find(([, each]) => each.shown === shown) ?? [];
  // Something else is shown by now: these rows are nobody's.
  if (!tab || !known) return null;
  const data = structuredClone(shown.data);
  const list = page.path.reduce<Json | undefined>(stepInto, data);
  if (isObject(list)) Object.assign(list, joined(list, next));
  // The response pane has them, too.
  const whole = { ...body, data };
  record(tab, { ...known, ...facts, body: whole, shown: { ...shown, data }, late: whole });
  return null;
}

function stepInto(value: Json | undefined, key: string): Json | undefined {
  return isObject(value) ? value[key] : undefined;
}

/** A connection with the next page: its lists grow, all else is as the next page says. */
function joined(list: JsonObject, next: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(next).map(([key, value]) => {
      const before = list[key];
      return [key, Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value];
    }),
  );
}

function messageOf(errors: Json | undefined): string {
  const [first] = objects(errors);
  return typeof first?.message === "string" ? first.message : "The gateway gave no rows.";
}
