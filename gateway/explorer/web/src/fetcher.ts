import type { Fetcher } from "@graphiql/toolkit";
import { getOperationAST, Kind, parse, type ExecutionResult } from "graphql";
import { meros } from "meros/browser";
import { setbacksIn, takeTrace, useAnswers, type Answer, type Shown } from "./answers";
import {
  authorizationOf,
  basic,
  currentAccount,
  FIRST_CREDENTIALS,
  isLocked,
  useChosenAccount,
} from "./credentials";
import { askToRun } from "./run-question";
import { Gathered } from "./gathered";
import { isObject, type Json, type JsonObject } from "./json";
import type { Settings } from "./settings";
import { subscribe, useTransport } from "./subscriptions";
import { noteTouched } from "./touched";
import { NO_ANSWER, post, send, UNREACHABLE, type Exchange, type Operation } from "./wire";

type Result = ExecutionResult<Record<string, unknown>, Record<string, unknown>>;

const INCREMENTAL =
  "multipart/mixed;incrementalSpec=v0.2;q=1.0, application/graphql-response+json;q=0.9, application/json;q=0.8";

/** GraphiQL's way to the gateway: it runs operations, and writes down what each one cost. */
export function createFetcher(settings: Settings, activeTab: () => string): Fetcher {
  return async (params, options) => {
    const headers = (options?.headers ?? {}) as Record<string, string>;
    if (params.operationName === "IntrospectionQuery")
      return introspect(settings, params as Operation, headers);

    const tab = activeTab();
    const { operation, kind } = understand(params as Operation);
    // The buttons ask before they act; so does Run, where it may cost money.
    if (kind === "mutation" && !settings.sandbox && !(await askToRun(operation, headers)))
      return { errors: [{ message: "Request not sent: you did not agree to it." }] } as never;
    const run = useAnswers.getState().begin(tab);
    const operationName = operation.operationName ?? null;
    const blank: Blank = { operationName, kind, shown: { operation, headers, data: null, run } };
    if (kind === "subscription") return follow(settings, operation, headers, tab, blank);
    if (/@(defer|stream)\b/.test(operation.query))
      return increments(settings, operation, headers, tab, blank);
    const answer = await send(settings.graphqlPath, operation, headers, settings.explain ? "trace" : null);
    const body = settle(tab, blank, answer);
    if (kind === "mutation") noteTouched(body.data);
    if (tab === activeTab() && useAnswers.getState().begun === run) return body as Result;
    // GraphiQL would write it into the tab that is in front by now, or drop it for the sake of a later run:
    // its own tab shows it when it is in front.
    const kept = useAnswers.getState().byTab[tab];
    if (kept) useAnswers.getState().record(tab, { ...kept, late: body });
    return new Promise<Result>(() => {});
  };
}

type Blank = Pick<Answer, "operationName" | "kind" | "shown">;

const EMPTY = {
  status: null,
  requestId: null,
  durationMs: 0,
  hasErrors: false,
  setbacks: [],
  persisted: null,
  upstream: null,
  events: [],
} satisfies Partial<Answer>;

/** Write an exchange down under `tab`; return the body for the response pane. */
export function settle(tab: string, blank: Blank, answer: Exchange): JsonObject {
  const { body, facts } = factsOf(blank.kind, answer);
  const shown: Shown = { ...blank.shown, data: body.data ?? null };
  useAnswers.getState().record(tab, { ...EMPTY, ...blank, ...facts, shown });
  return body;
}

/** Write down what was done with a row of a run: the rows stay those of the run. */
export function noteDeed(run: number, kind: Answer["kind"], operation: Operation, answer: Exchange): void {
  const { byTab, record } = useAnswers.getState();
  const [tab, known] = Object.entries(byTab).find(([, each]) => each.shown.run === run) ?? [];
  if (!tab || !known || known.kind === "subscription") return;
  const operationName = operation.operationName ?? null;
  record(tab, { ...known, ...factsOf(kind, answer).facts, operationName, kind });
}

function factsOf(kind: Answer["kind"], answer: Exchange) {
  const { body, upstream } = takeTrace(answer.body);
  const { status, requestId, durationMs, persisted } = answer;
  const hasErrors = Array.isArray(body.errors);
  const setbacks = kind === "mutation" ? setbacksIn(body.data) : [];
  return { body, facts: { status, requestId, durationMs, persisted, hasErrors, setbacks, upstream } };
}

/** Before the headers editor exists, the schema is read with the sandbox's credentials. */
async function introspect(settings: Settings, operation: Operation, headers: Record<string, string>) {
  if (isLocked(settings, JSON.stringify(headers)))
    return { errors: [{ message: FIRST_CREDENTIALS }] } as never;
  const accounts = settings.sandbox?.accounts ?? [];
  const account = currentAccount(accounts, useChosenAccount.getState().sid);
  const extra: Record<string, string> =
    account && !authorizationOf(headers) ? { Authorization: basic(account) } : {};
  const answer = await send(settings.graphqlPath, operation, { ...headers, ...extra }, null);
  return answer.body as Result;
}

/**
 * Follow a subscription. Not a generator: stopping one waits for its pending `next`, so the gateway
 * would go on sending until the next event.
 */
async function follow(
  settings: Settings,
  operation: Operation,
  headers: Record<string, string>,
  tab: string,
  blank: Blank,
): Promise<AsyncIterableIterator<Result>> {
  const started = performance.now();
  const events: JsonObject[] = [];
  const note = (hasErrors: boolean) => {
    const durationMs = performance.now() - started;
    const [name] = Object.keys(events[0] ?? {});
    // Events make a list of their own.
    const data = name ? { [name]: events.map((event) => event[name] ?? null) } : null;
    const facts = { hasErrors, durationMs, events: [...events], shown: { ...blank.shown, data } };
    useAnswers.getState().record(tab, { ...EMPTY, ...blank, ...facts });
  };
  note(false);
  const { transport } = useTransport.getState();
  let failed = false;
  const results = await subscribe(settings.subscriptionsPath, operation, headers, transport);
  const iterator: AsyncIterableIterator<Result> = {
    [Symbol.asyncIterator]: () => iterator,
    async next() {
      if (failed) return { done: true, value: undefined };
      try {
        const result = await results.next();
        if (result.done) return { done: true, value: undefined };
        if (isObject(result.value.data)) events.push(result.value.data);
        note("errors" in result.value);
        return { done: false, value: result.value as Result };
      } catch (fault) {
        failed = true;
        note(true);
        return { done: false, value: { errors: await explainFault(fault) } as unknown as Result };
      }
    },
    async return() {
      await results.return?.();
      return { done: true, value: undefined };
    },
  };
  return iterator;
}

/** `@defer` and `@stream`: parts are handed on as they come; the trace is in the last one. */
async function* increments(
  settings: Settings,
  operation: Operation,
  headers: Record<string, string>,
  tab: string,
  blank: Blank,
): AsyncGenerator<Result> {
  const started = performance.now();
  const explain = settings.explain ? "trace" : null;
  let facts: Pick<Exchange, "status" | "requestId" | "persisted"> = {
    status: 0,
    requestId: null,
    persisted: null,
  };
  let hasErrors = false;
  let upstream: Answer["upstream"] = null;
  const gathered = new Gathered();
  const record = (body: JsonObject) => {
    const durationMs = performance.now() - started;
    const result = settle(tab, blank, { ...facts, body, durationMs }) as Result;
    gathered.add(body);
    // An error of one part is one of the whole answer, and so is its trace.
    hasErrors ||= holdsErrors(body);
    const { byTab, record } = useAnswers.getState();
    const answer = byTab[tab];
    upstream = answer?.upstream ?? upstream;
    const data = structuredClone(gathered.data);
    const setbacks = blank.kind === "mutation" ? setbacksIn(data) : [];
    const shown = { ...blank.shown, data };
    if (answer) record(tab, { ...answer, hasErrors, upstream, setbacks, shown });
    if (blank.kind === "mutation" && body.hasNext !== true) noteTouched(data);
    return result;
  };

  try {
    const response = await post(settings.graphqlPath, operation, headers, explain, undefined, INCREMENTAL);
    facts = { ...facts, status: response.status, requestId: response.headers.get("x-request-id") };
    const parts = await meros<JsonObject>(response);
    if (parts instanceof Response) yield record((await parts.json()) as JsonObject);
    else for await (const part of parts) if (part.json) yield record(part.body);
  } catch {
    yield record(NO_ANSWER);
  }
}

/** Errors of an answer, or of one of its later parts. */
function holdsErrors(body: JsonObject): boolean {
  const parts = [body.incremental, body.completed].flatMap((list) => (Array.isArray(list) ? list : []));
  return [body, ...parts].some((part) => isObject(part) && Array.isArray(part.errors));
}

/** Why a subscription ended, as GraphQL errors: no connection, a refused socket, or what the gateway said. */
async function explainFault(fault: unknown): Promise<Json[]> {
  if (Array.isArray(fault)) return fault as Json[];
  if (fault instanceof CloseEvent)
    return [{ message: fault.reason || UNREACHABLE, ...(fault.reason ? { code: fault.code } : {}) }];
  const response = fault instanceof Error && "response" in fault ? fault.response : null;
  if (!(response instanceof Response)) return [{ message: UNREACHABLE }];
  const body = await response.json().catch(() => null);
  if (isObject(body) && Array.isArray(body.errors)) return body.errors;
  return [{ message: `The gateway answered ${response.status}.` }];
}

/**
 * GraphiQL learns an editor's operations 100 ms late: Run just after a change of tabs would come with
 * the name, and the syntax tree, of the tab before. So the text itself is asked.
 */
function understand(asked: Operation): { operation: Operation; kind: Answer["kind"] } {
  try {
    const document = parse(asked.query);
    const named = getOperationAST(document, asked.operationName);
    const found = named ?? document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
    const operationName = found?.name?.value ?? null;
    return { operation: { ...asked, operationName }, kind: found?.operation ?? "query" };
  } catch {
    // Not GraphQL: the gateway says so better.
    return { operation: asked, kind: "query" };
  }
}
