import { create } from "zustand";
import { isObject, type JsonObject } from "./json";
import type { UpstreamTrace } from "./upstream/types";

/** What is known of the last operation of a tab, besides the text in the response pane. */
export interface Answer {
  operationName: string | null;
  kind: "query" | "mutation" | "subscription";
  status: number | null;
  requestId: string | null;
  durationMs: number;
  hasErrors: boolean;
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
  record(tab: string, answer: Answer): void;
  changed(): void;
}

export const useAnswers = create<Answers>((set) => ({
  byTab: {},
  changes: 0,
  record: (tab, answer) => set(({ byTab }) => ({ byTab: { ...byTab, [tab]: answer } })),
  changed: () => set(({ changes }) => ({ changes: changes + 1 })),
}));

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
