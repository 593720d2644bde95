import { create } from "zustand";
import type { Headers } from "./credentials";
import { isObject, type Json, type JsonObject } from "./json";
import type { Range, UpstreamTrace } from "./upstream/types";
import type { Operation } from "./wire";

/**
 * What an operation yielded, with all that it came of. Rows and their buttons follow from this alone:
 * what stands in the editors by now is another matter.
 */
export interface Shown {
  operation: Operation;
  headers: Headers;
  data: Json;
  /** Which run it was, counted over all tabs. */
  run: number;
  /**
   * Set after a reload, which credentials do not outlive: the account that it was asked for, where that
   * is known. Its rows offer nothing until that account is chosen again.
   */
  keptOf?: string | null;
}

/** What was done with a row of an answer: a call of its own, which leaves the answer as it is. */
export interface Deed {
  operationName: string | null;
  setbacks: Setback[];
  upstream: UpstreamTrace | null;
}

/** Ways in which a change can come out that are not success. */
export type Setback = "refused" | "not done" | "outcome unknown";

/** What is known of the last operation of a tab, besides the text in the response pane. */
export interface Answer {
  operationName: string | null;
  kind: "query" | "mutation" | "subscription";
  status: number | null;
  requestId: string | null;
  /** Headers of the answer, by lower-case name. */
  headers: Record<string, string>;
  durationMs: number;
  hasErrors: boolean;
  /** What became of changes that were not made: that is data, and must not look like success. */
  setbacks: Setback[];
  persisted: "hit" | "registered" | null;
  upstream: UpstreamTrace | null;
  /** How many calls it was planned to make, where that was known when it began. */
  planned?: Range | null;
  /** The first of its parts, or the last event, without the trace: what the response pane shows. */
  body: JsonObject | null;
  /** All errors at the top, in whichever part they came. */
  errors: Json[];
  /** Events of a subscription, oldest first: the last of them, if there are many. */
  events: JsonObject[];
  /** How many events there have been. */
  eventCount: number;
  /** How a subscription ended; null while it goes on. */
  ended: string | null;
  /** What was done with its rows since, oldest first: the last of it. */
  deeds: Deed[];
  /** Whether the next operation of the tab is on its way: its rows are shown until then. */
  outdated?: boolean;
  shown: Shown;
  /** The body of an answer that came while another tab was in front: its own is still to show it. */
  late?: JsonObject | undefined;
}

/** What is known of an answer before it comes. */
export type Blank = Pick<Answer, "operationName" | "kind" | "shown" | "planned">;

export const EMPTY = {
  status: null,
  requestId: null,
  headers: {},
  durationMs: 0,
  hasErrors: false,
  setbacks: [],
  persisted: null,
  upstream: null,
  body: null,
  errors: [],
  events: [],
  eventCount: 0,
  ended: null,
  deeds: [],
} satisfies Partial<Answer>;

interface Answers {
  /** By id of the tab. */
  byTab: Record<string, Answer>;
  /** How many operations have been sent. */
  begun: number;
  /** By id of the tab: the last operation that was sent from it. */
  latest: Record<string, number>;
  /** An operation of the tab is on its way: the answer before is outdated. Returns the run's count. */
  begin(tab: string): number;
  forget(tab: string): void;
  /** Answers of other tabs belong to tabs that are closed. */
  keepOnly(tabs: ReadonlySet<string>): void;
  /** Answers of before a reload: their runs are over, and those to come count on. */
  restore(byTab: Record<string, Answer>): void;
  /** Keep an answer, unless the tab has sent another operation since. */
  record(tab: string, answer: Answer): void;
}

export const useAnswers = create<Answers>((set, get) => ({
  byTab: {},
  begun: 0,
  latest: {},
  begin: (tab) => {
    const run = get().begun + 1;
    set(({ byTab, latest }) => ({
      byTab: byTab[tab] ? { ...byTab, [tab]: { ...byTab[tab], outdated: true } } : byTab,
      begun: run,
      latest: { ...latest, [tab]: run },
    }));
    return run;
  },
  forget: (tab) => set(({ byTab }) => ({ byTab: without(byTab, tab) })),
  keepOnly: (tabs) => set(({ byTab, latest }) => ({ byTab: only(byTab, tabs), latest: only(latest, tabs) })),
  restore: (byTab) => {
    const latest = Object.fromEntries(Object.entries(byTab).map(([tab, { shown }]) => [tab, shown.run]));
    set({ byTab, latest, begun: Math.max(get().begun, ...Object.values(latest)) });
  },
  record: (tab, answer) =>
    set(({ byTab, latest }) =>
      answer.shown.run === latest[tab] ? { byTab: { ...byTab, [tab]: answer } } : {},
    ),
}));

/** What is of `tabs`; the same object when that is all. */
export function only<Of>(byTab: Record<string, Of>, tabs: ReadonlySet<string>): Record<string, Of> {
  const kept = Object.entries(byTab).filter(([tab]) => tabs.has(tab));
  return kept.length < Object.keys(byTab).length ? Object.fromEntries(kept) : byTab;
}

function without(byTab: Record<string, Answer>, tab: string): Record<string, Answer> {
  const { [tab]: _, ...others } = byTab;
  return others;
}

/** What did not succeed of the changes in an answer's data, in a list of results too. */
export function setbacksIn(data: Json | undefined): Setback[] {
  const found = new Set<Setback>();
  const visit = (value: Json | undefined): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    if (!isObject(value)) return;
    const errors = Array.isArray(value.userErrors) ? value.userErrors : [];
    for (const error of errors.filter(isObject)) found.add(setbackOf(error.code));
    if (errors.length > 0) return;
    Object.values(value).forEach(visit);
  };
  visit(data);
  return [...found];
}

/** Without a code, all that is known is that something did not succeed. */
export function setbackOf(code: Json | undefined): Setback {
  if (code === "OUTCOME_UNKNOWN") return "outcome unknown";
  return code === "NOT_DONE" ? "not done" : "refused";
}

/** Take the trace out of an answer's extensions: the panel shows it, the response pane need not. */
export function takeTrace(body: JsonObject): { body: JsonObject; upstream: UpstreamTrace | null } {
  if (!isObject(body.extensions) || !isObject(body.extensions.upstream)) return { body, upstream: null };
  const { upstream, ...others } = body.extensions;
  const { extensions: _, ...rest } = body;
  return {
    body: Object.keys(others).length > 0 ? { ...rest, extensions: others } : rest,
    upstream: upstream as unknown as UpstreamTrace,
  };
}
