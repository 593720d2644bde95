import { pick, useGraphiQL } from "@graphiql/react";
import { getOperationAST, getVariableValues, validate } from "graphql";
import { useEffect } from "react";
import { create } from "zustand";
import { FIRST_CREDENTIALS, isLocked, readHeaders } from "../credentials";
import { useAnswerOf, useFrontTab } from "../front-tab";
import { isObject, objects, readObject, type JsonObject } from "../json";
import type { Settings } from "../settings";
import { send, UNREACHABLE } from "../wire";
import type { Plan, Range } from "./types";

/** Long enough not to ask at every key, short enough to be there before a hand reaches Run. */
const PAUSE_MS = 350;

interface Planned {
  plan: Plan | null;
  /** Why there is none: the operation is unfinished, or the gateway refuses it. */
  note: string | null;
  refused: boolean;
  /** What it is the plan of. */
  of: string | null;
}

const NOT_YET: Planned = { plan: null, note: null, refused: false, of: null };

export const usePlanned = create<Planned>(() => NOT_YET);

/** How many calls an operation is planned to make, if that is known already. */
export function plannedCalls(query: string, variables: JsonObject | null | undefined): Range | null {
  const { plan, of } = usePlanned.getState();
  return of === nameOf(query, variables) ? (plan?.calls ?? null) : null;
}

function nameOf(query: string, variables: JsonObject | null | undefined): string {
  return JSON.stringify([query, variables ?? {}]);
}

/** Keep `usePlanned` true to the operation in the editor. Planning reaches no upstream. */
export function usePlanner(settings: Settings): void {
  const { schema, documentAST, operationName } = useGraphiQL(pick("schema", "documentAST", "operationName"));
  const tab = useFrontTab();
  const [query, variables, headers] = [tab?.query ?? "", tab?.variables ?? "", tab?.headers ?? ""];
  const { graphqlPath, explain } = settings;
  // What a query has read of an account bounds the next plan.
  const answer = useAnswerOf(tab);
  const learnt = answer?.kind === "query" ? answer.shown.run : 0;

  // The plan of another tab's operation is not shown for a moment longer.
  useEffect(() => usePlanned.setState(NOT_YET), [tab?.id]);

  useEffect(() => {
    const stop = new AbortController();
    const show = (planned: Partial<Planned>) => {
      if (!stop.signal.aborted) usePlanned.setState({ ...NOT_YET, ...planned });
    };
    if (!explain) return show({ note: "This gateway makes no plans." });
    if (isLocked(settings, headers)) return show({ note: FIRST_CREDENTIALS });
    if (!schema) return undefined;
    const operation = documentAST && getOperationAST(documentAST, operationName);
    const values = readObject(variables);
    const sent = readHeaders(headers);
    if (!documentAST || !operation) return show({ note: "Nothing to plan yet." });
    if (!values || !sent) return show({ note: "Variables and headers must be JSON objects." });
    if (operation.operation === "subscription")
      return show({ note: "A subscription makes no calls of its own." });

    const timer = setTimeout(async () => {
      // Not at every key: of thousands of lines it takes longer than a key may.
      if (validate(schema, documentAST).length > 0) return show({ note: "The operation is not valid yet." });
      const [lack] = getVariableValues(schema, operation.variableDefinitions ?? [], values).errors ?? [];
      if (lack) return show({ note: lack.message });
      try {
        if (!(await plansOnly(graphqlPath, sent))) return show({ note: "This gateway makes no plans." });
        const asked = { query, variables: values, operationName };
        const { status, body } = await send(graphqlPath, asked, sent, "plan", stop.signal);
        show({ ...read(body, status), of: nameOf(query, values) });
      } catch (error) {
        show({ note: error instanceof Error ? error.message : String(error) });
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [query, variables, headers, schema, documentAST, operationName, graphqlPath, explain, settings, learnt]);
}

/** By path: what the gateway did with a request for a plan. */
const proven = new Map<string, boolean>();

/**
 * Whether the gateway plans without executing. A mutation in the editor must never be run by asking
 * for its plan, so a harmless query has to come back with a plan and without data first.
 */
async function plansOnly(path: string, headers: Record<string, string>): Promise<boolean> {
  const known = proven.get(path);
  if (known !== undefined) return known;
  const { status, body } = await send(path, { query: "query Probe { __typename }" }, headers, "plan");
  if (status === 0) throw new Error(UNREACHABLE);
  const planned = isObject(body.extensions) && isObject(body.extensions.plan) && !isObject(body.data);
  // Refused credentials prove nothing either way.
  if (planned || (status === 200 && isObject(body.data))) proven.set(path, planned);
  return planned;
}

function read(body: JsonObject, status: number): Partial<Planned> {
  const [error] = objects(body.errors);
  // What did not reach the gateway was not refused by it.
  if (error) return { note: String(error.message), refused: status !== 0 };
  const plan = isObject(body.extensions) && isObject(body.extensions.plan) ? body.extensions.plan : null;
  return plan ? { plan: plan as unknown as Plan } : { note: "The gateway gave no plan." };
}
