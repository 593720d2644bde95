import { useMemo, useState } from "react";
import type { Answer } from "../answers";
import type { Tab } from "../front-tab";
import { readObject, type Json } from "../json";
import { problemsIn, type Problem } from "./problems";

/** An answer that was never sent is short. */
const SHORT = 10_000;
const NONE: Problem[] = [];

interface Problems {
  problems: Problem[];
  /** Whether somebody has looked past them, at the rest of the answer. */
  past: boolean;
  look(atErrors: boolean): void;
}

/** What went wrong with what the tab in front shows. */
export function useProblems(answer: Answer | undefined, tab: Tab | undefined): Problems {
  const [past, setPast] = useState<readonly string[]>([]);
  const unsent = answer ? null : (tab?.response ?? "");
  const problems = useMemo(() => {
    if (answer?.outdated) return NONE;
    if (answer) {
      const { data, operation } = answer.shown;
      // Only changes are refused in an answer's data.
      return problemsIn(answer.errors, answer.kind === "mutation" ? data : undefined, operation);
    }
    return unsent ? problemsIn(errorsOf(unsent), undefined, { query: tab?.query ?? "" }) : NONE;
  }, [answer, unsent, tab?.query]);
  const name = answer ? String(answer.shown.run) : `${tab?.id} ${unsent}`;
  const others = past.filter((each) => each !== name);
  return {
    problems,
    past: past.includes(name),
    look: (atErrors) => setPast(atErrors ? others : [...others, name]),
  };
}

function errorsOf(response: string): Json[] {
  const body = response.length > SHORT ? null : readObject(response);
  return Array.isArray(body?.errors) ? body.errors : [];
}
