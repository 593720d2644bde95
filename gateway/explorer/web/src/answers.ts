import { create } from "zustand";
import { isObject, type Json, type JsonObject } from "./json";
import type { UpstreamTrace } from "./upstream/types";

/** What is known of the last operation of a tab, besides the text in the response pane. */
export interface Answer {
  operationName: string | null;
  kind: "query" | "mutation" | "subscription";
  status: number | null;
  requestId: string | null;
  durationMs: number;
  hasErrors: boolean;
  /** Whether the upstream refused a change: that is data, and must not look like success. */
  refused: boolean;
  persisted: "hit" | "registered" | null;
  upstream: UpstreamTrace | null;
  /** Events of a subscription, oldest first. */
  events: JsonObject[];
}

interface Answers {
  /** By id of the tab. */
  byTab: Record<string, Answer>;
  /** How many mutations have succeeded: values read before may be stale. */
  changes: number;
  /** How many operations have been sent. */
  begun: number;
  /** An operation of the tab is on its way: what is known of the one before is over. */
  begin(tab: string): void;
  forget(tab: string): void;
  record(tab: string, answer: Answer): void;
  changed(): void;
}

export const useAnswers = create<Answers>((set) => ({
  byTab: {},
  changes: 0,
  begun: 0,
  begin: (tab) => set(({ byTab, begun }) => ({ byTab: without(byTab, tab), begun: begun + 1 })),
  forget: (tab) => set(({ byTab }) => ({ byTab: without(byTab, tab) })),
  record: (tab, answer) => set(({ byTab }) => ({ byTab: { ...byTab, [tab]: answer } })),
  changed: () => set(({ changes }) => ({ changes: changes + 1 })),
}));

function without(byTab: Record<string, Answer>, tab: string): Record<string, Answer> {
  const { [tab]: _, ...others } = byTab;
  return others;
}

/** Whether any change in an answer's data was refused, in a list of results too. */
export function holdsRefusal(data: Json | undefined): boolean {
  if (Array.isArray(data)) return data.some(holdsRefusal);
  if (!isObject(data)) return false;
  return (
    (Array.isArray(data.userErrors) && data.userErrors.length > 0) || Object.values(data).some(holdsRefusal)
  );
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
