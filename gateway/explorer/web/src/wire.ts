import { isObject, objects, type Json, type JsonObject } from "./json";

export interface Operation {
  query: string;
  variables?: JsonObject | null;
  operationName?: string | null;
}

/** One answer, and how it came. */
export interface Exchange {
  /** HTTP status; 0 when no answer came. */
  status: number;
  requestId: string | null;
  /** Headers of the answer, by lower-case name. */
  headers: Record<string, string>;
  durationMs: number;
  body: JsonObject;
  /** Whether the operation went out as its hash alone, and what became of it. */
  persisted: "hit" | "registered" | null;
}

type Explain = "trace" | "plan" | null;

export const UNREACHABLE = "The gateway cannot be reached.";
/** In place of an answer, when none came. */
export const NO_ANSWER: JsonObject = { errors: [{ message: UNREACHABLE }] };

const UNANSWERED: Omit<Exchange, "durationMs"> = {
  status: 0,
  requestId: null,
  headers: {},
  body: NO_ANSWER,
  persisted: null,
};

const ACCEPT = "application/graphql-response+json, application/json;q=0.9";

/**
 * Send `operation` as JSON, as the gateway's CSRF rule asks for, and read the answer whole.
 * Never throws on an HTTP status: an answer that is not GraphQL becomes an `errors` entry, and so does
 * an answer that never came.
 */
export async function send(
  path: string,
  operation: Operation,
  headers: Record<string, string>,
  explain: Explain,
  signal?: AbortSignal,
): Promise<Exchange> {
  const started = performance.now();
  try {
    return await exchanged(path, operation, headers, explain, signal);
  } catch (error) {
    if (signal?.aborted) throw error;
    return { ...UNANSWERED, durationMs: performance.now() - started };
  }
}

async function exchanged(
  path: string,
  operation: Operation,
  headers: Record<string, string>,
  explain: Explain,
  signal?: AbortSignal,
): Promise<Exchange> {
  const started = performance.now();
  if (explain === "plan" || !wantsHash(operation.query))
    return exchange(await post(path, operation, headers, explain, signal), started, null);

  const { query, ...rest } = operation;
  const extensions = { persistedQuery: { version: 1, sha256Hash: await sha256(query) } };
  // In the older media type an unknown hash is an answer like any other, and no failed request.
  const first = await post(path, { ...rest, extensions }, headers, explain, signal, "application/json");
  const answer = await exchange(first, started, "hit");
  if ("data" in answer.body) return answer;
  // Unknown hashes are registered by sending both; a gateway without persisted queries just runs the text.
  const outcome = isUnknownHash(answer.body) ? "registered" : null;
  return exchange(
    await post(path, { query, ...rest, extensions }, headers, explain, signal),
    started,
    outcome,
  );
}

/** `# @persisted` on a line of its own asks for Apollo's automatic persisted queries. */
function wantsHash(query: string): boolean {
  // Browsers keep hashing from pages that came over plain HTTP from another machine.
  return /^\s*#\s*@persisted\b/m.test(query) && "subtle" in crypto;
}

export function post(
  path: string,
  body: object,
  headers: Record<string, string>,
  explain: Explain,
  signal?: AbortSignal,
  accept = ACCEPT,
): Promise<Response> {
  const extra: Record<string, string> = explain ? { "X-Gateway-Explain": explain } : {};
  return fetch(path, {
    method: "POST",
    // Credentials are what the headers editor says. Without this, a 401 makes browsers ask for others.
    credentials: "omit",
    headers: { ...extra, ...headers, accept, "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

async function exchange(
  answer: Response,
  started: number,
  persisted: Exchange["persisted"],
): Promise<Exchange> {
  const text = await answer.text();
  return {
    ...outsideOf(answer),
    durationMs: performance.now() - started,
    body: readBody(text, answer.status),
    persisted,
  };
}

/** What is known of an answer from outside its body. */
export function outsideOf(answer: Response): Pick<Exchange, "status" | "requestId" | "headers"> {
  const headers = Object.fromEntries(answer.headers);
  return { status: answer.status, requestId: headers["x-request-id"] ?? null, headers };
}

function readBody(text: string, status: number): JsonObject {
  try {
    const parsed = JSON.parse(text) as Json;
    if (isObject(parsed)) return parsed;
  } catch {
    // Not JSON: a proxy's page, or nothing at all. It is shown as it came.
  }
  return { errors: [{ message: `HTTP ${status}: ${text.slice(0, 500) || "empty answer"}` }] };
}

function isUnknownHash(body: JsonObject): boolean {
  return objects(body.errors).some(
    ({ message, extensions }) =>
      message === "PersistedQueryNotFound" ||
      (isObject(extensions) && extensions.code === "PERSISTED_QUERY_NOT_FOUND"),
  );
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
