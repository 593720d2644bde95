import type { Fetcher } from "@graphiql/toolkit";
import { getOperationAST, GraphQLError, Kind, parse, type ExecutionResult } from "graphql";
import { meros } from "meros/browser";
import { EMPTY, setbacksIn, takeTrace, useAnswers, type Answer, type Blank, type Shown } from "./answers";
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
import { attachmentsSoFar, feedToAttach, follow } from "./feeds";
import { noteTouched } from "./touched";
import { plannedCalls } from "./upstream/use-plan";
import { NO_ANSWER, outsideOf, post, send, type Exchange, type Operation } from "./wire";

type Result = ExecutionResult<Record<string, unknown>, Record<string, unknown>>;

const INCREMENTAL =
  "multipart/mixed;incrementalSpec=v0.2;q=1.0, application/graphql-response+json;q=0.9, application/json;q=0.8";

/** GraphiQL's way to the gateway: it runs operations, and writes down what each one cost. */
export function createFetcher(settings: Settings, activeTab: () => string): Fetcher {
  return async (params, options) => {
    const attached = feedToAttach();
    if (attached) return attached;
    const headers = (options?.headers ?? {}) as Record<string, string>;
    if (params.operationName === "IntrospectionQuery")
      return introspect(settings, params as Operation, headers);

    const tab = activeTab();
    const { operation, kind } = understand(params as Operation);
    // The buttons ask before they act; so does Run, where it may cost money.
    if (kind === "mutation" && !settings.sandbox && !(await askToRun(operation, headers)))
      return unsent("Request not sent: you did not agree to it.");
    const run = useAnswers.getState().begin(tab);
    const operationName = operation.operationName ?? null;
    const planned = plannedCalls(operation.query, operation.variables);
    const blank: Blank = { operationName, kind, planned, shown: { operation, headers, data: null, run } };
    if (kind === "subscription") return follow(settings, tab, blank);
    if (/@(defer|stream)\b/.test(operation.query))
      return increments(
        (isLookedAt) => read(settings, operation, headers, tab, blank, isLookedAt),
        () => tab === activeTab(),
      );
    const attachments = attachmentsSoFar();
    const answer = await send(settings.graphqlPath, operation, headers, settings.explain ? "trace" : null);
    const body = settle(tab, blank, answer);
    if (kind === "mutation") noteTouched(body.data);
    const superseded = useAnswers.getState().begun !== run || attachmentsSoFar() !== attachments;
    if (tab === activeTab() && !superseded) return body as Result;
    // GraphiQL would write it into the tab that is in front by now, or drop it for the sake of a later run:
    // its own tab shows it when it is in front.
    showLate(tab, run, body);
    return never();
  };
}

/** For GraphiQL, which is to wait no more. */
function never(): Promise<never> {
  return new Promise(() => {});
}

/** Let a tab show the answer of a run once it is in front, unless it shows another by now. */
export function showLate(tab: string, run: number, late: JsonObject): void {
  const { byTab, record } = useAnswers.getState();
  const known = byTab[tab];
  if (known?.shown.run === run) record(tab, { ...known, late });
}

/** Write an exchange down under `tab`; return the body for the response pane. */
export function settle(tab: string, blank: Blank, answer: Exchange): JsonObject {
  const { body, facts } = factsOf(blank.kind, answer);
  const shown: Shown = { ...blank.shown, data: body.data ?? null };
  useAnswers.getState().record(tab, { ...EMPTY, ...blank, ...facts, shown });
  return body;
}

/** Deeds that are remembered of one answer. */
const MOST_DEEDS = 20;

/** Write down what was done with a row of a run: rows and trace stay those of the run. */
export function noteDeed(run: number, kind: Answer["kind"], operation: Operation, answer: Exchange): void {
  const { byTab, record } = useAnswers.getState();
  const [tab, known] = Object.entries(byTab).find(([, each]) => each.shown.run === run) ?? [];
  if (!tab || !known || known.kind === "subscription") return;
  const { setbacks, upstream } = factsOf(kind, answer).facts;
  const deed = { operationName: operation.operationName ?? null, setbacks, upstream };
  record(tab, { ...known, deeds: [...known.deeds, deed].slice(-MOST_DEEDS) });
}

/** What is written down of an exchange, and the body without its trace. */
export function factsOf(kind: Answer["kind"], answer: Exchange) {
  const { body, upstream } = takeTrace(answer.body);
  const { status, requestId, headers, durationMs, persisted } = answer;
  const errors = errorsIn(body);
  const hasErrors = errors.length > 0;
  const setbacks = kind === "mutation" ? setbacksIn(body.data) : [];
  return {
    body,
    facts: { status, requestId, headers, durationMs, persisted, hasErrors, errors, body, setbacks, upstream },
  };
}

/** The answer to what was never sent: why. */
function unsent(why: string): Result {
  return { errors: [new GraphQLError(why)] };
}

/** Before the headers editor exists, the schema is read with the sandbox's credentials. */
async function introspect(settings: Settings, operation: Operation, headers: Record<string, string>) {
  if (isLocked(settings, JSON.stringify(headers))) return unsent(FIRST_CREDENTIALS);
  const accounts = settings.sandbox?.accounts ?? [];
  const account = currentAccount(accounts, useChosenAccount.getState().sid);
  const extra: Record<string, string> =
    account && !authorizationOf(headers) ? { Authorization: basic(account) } : {};
  const answer = await send(settings.graphqlPath, operation, { ...headers, ...extra }, null);
  return answer.body as Result;
}

/**
 * `@defer` and `@stream`: parts are handed on as they come; the trace is in the last one. GraphiQL would
 * write those that come after a change of tabs into the tab that is in front by then: they are kept for
 * their own.
 */
function increments(
  begin: (isLookedAt: () => boolean) => AsyncGenerator<Result>,
  isInFront: () => boolean,
): AsyncIterableIterator<Result> {
  let isLookedAt = true;
  const parts = begin(() => isLookedAt);
  const readOn = async () => {
    for await (const _ of parts);
  };
  const iterator: AsyncIterableIterator<Result> = {
    [Symbol.asyncIterator]: () => iterator,
    next: async () => {
      const part = await parts.next();
      return isLookedAt ? part : never();
    },
    return: () => {
      isLookedAt = false;
      // It is given up when the tab changes, too, and that is known only afterwards.
      setTimeout(() => void (isInFront() ? parts.return(undefined) : readOn()));
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  return iterator;
}

async function* read(
  settings: Settings,
  operation: Operation,
  headers: Record<string, string>,
  tab: string,
  blank: Blank,
  isLookedAt: () => boolean,
): AsyncGenerator<Result> {
  const started = performance.now();
  const explain = settings.explain ? "trace" : null;
  let facts: Pick<Exchange, "status" | "requestId" | "headers" | "persisted"> = {
    status: 0,
    requestId: null,
    headers: {},
    persisted: null,
  };
  const errors: Json[] = [];
  let upstream: Answer["upstream"] = null;
  const gathered = new Gathered();
  const record = (body: JsonObject) => {
    const durationMs = performance.now() - started;
    const result = settle(tab, blank, { ...facts, body, durationMs }) as Result;
    gathered.add(body);
    // An error of one part is one of the whole answer, and so is its trace.
    errors.push(...errorsIn(body));
    const hasErrors = errors.length > 0;
    const { byTab, record } = useAnswers.getState();
    const answer = byTab[tab];
    upstream = answer?.upstream ?? upstream;
    const data = structuredClone(gathered.data);
    const setbacks = blank.kind === "mutation" ? setbacksIn(data) : [];
    const shown = { ...blank.shown, data };
    const whole = { data, ...(hasErrors ? { errors: [...errors] } : {}) };
    const late = isLookedAt() ? undefined : whole;
    if (answer)
      record(tab, {
        ...answer,
        hasErrors,
        errors: [...errors],
        body: whole,
        upstream,
        setbacks,
        shown,
        late,
      });
    if (blank.kind === "mutation" && body.hasNext !== true) noteTouched(data);
    return result;
  };

  try {
    const response = await post(settings.graphqlPath, operation, headers, explain, undefined, INCREMENTAL);
    facts = { ...facts, ...outsideOf(response) };
    const parts = await meros<JsonObject>(response);
    if (parts instanceof Response) yield record((await parts.json()) as JsonObject);
    else for await (const part of parts) if (part.json) yield record(part.body);
  } catch {
    yield record(NO_ANSWER);
  }
}

/** Errors of an answer, or of one of its later parts. */
function errorsIn(body: JsonObject): Json[] {
  const parts = [body.incremental, body.completed].flatMap((list) => (Array.isArray(list) ? list : []));
  return [body, ...parts].flatMap((part) =>
    isObject(part) && Array.isArray(part.errors) ? part.errors : [],
  );
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
