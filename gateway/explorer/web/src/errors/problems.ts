import { FIRST_CREDENTIALS } from "../credentials";
import { TOO_MANY } from "../feeds";
import { isObject, objects, type Json, type JsonObject } from "../json";
import { UNREACHABLE, type Operation } from "../wire";
import { placeOf, type Path, type Place } from "./place";
import words from "./words.json";

/** What went wrong, in words for people. */
export interface Problem {
  /** What happened, as whoever refused it says it. */
  message: string;
  /** What happens when this happens; null where the message says all that is known. */
  meaning: string | null;
  remedy: string;
  code: string | null;
  /** Twilio's own code, where it was Twilio that refused. */
  upstreamCode: string | null;
  retryAfterMs: number | null;
  /** Where it is in the answer, and below `input`. */
  path: Path;
  place: Place | null;
  /** How many say the same. */
  times: number;
}

interface Words {
  meaning: string;
  remedy: string;
}

const ERRORS: Record<string, Words> = words.errors;
const USER_ERRORS: Record<string, Words> = words.userErrors;

const UNSENT = "Request not sent";
/** What the page itself has to say. */
const OWN: Record<string, string> = {
  [UNREACHABLE]:
    "Try again in a moment. Before you repeat a change, look whether it was made: nobody knows what became of it.",
  [FIRST_CREDENTIALS]: "They go in at the top right.",
  [TOO_MANY]: "Stop one of them in its tab, to which the top bar leads, and run this again.",
};
const REMEDY = "Nothing more is known of it: the JSON holds the whole answer.";
const NOTHING_WAS_DONE = "Nothing was done. Mend what the message names, and run it again.";

/** All that went wrong in an answer to `operation`: its errors, and what was refused of its changes. */
export function problemsIn(errors: Json[], data: Json | undefined, operation: Operation): Problem[] {
  const found = [
    ...objects(errors).map((error) => topProblem(error, operation)),
    ...refusals(data, []).map(({ error, path }) => refusal(error, path, operation)),
  ];
  const together = new Map<string, Problem>();
  for (const problem of found) {
    const key = JSON.stringify([problem.message, problem.code, problem.place]);
    const known = together.get(key);
    if (known) known.times += 1;
    else together.set(key, problem);
  }
  return [...together.values()];
}

function topProblem(error: JsonObject, operation: Operation): Problem {
  const extensions = isObject(error.extensions) ? error.extensions : {};
  const message = text(error.message) ?? "Something went wrong.";
  const code = text(extensions.code);
  const known = code ? ERRORS[code] : undefined;
  const path = Array.isArray(error.path) ? (error.path as Path) : [];
  const [first] = objects(error.locations);
  const own = OWN[message] ?? (message.startsWith(UNSENT) ? NOTHING_WAS_DONE : undefined);
  return {
    message,
    meaning: known?.meaning ?? null,
    remedy: known?.remedy ?? own ?? REMEDY,
    code,
    upstreamCode: text(extensions.upstreamCode),
    retryAfterMs: typeof extensions.retryAfterMs === "number" ? extensions.retryAfterMs : null,
    path,
    place: first ? { line: Number(first.line), column: Number(first.column) } : placeOf(operation, path),
    times: 1,
  };
}

function refusal(error: JsonObject, path: Path, operation: Operation): Problem {
  const code = text(error.code);
  const known = code ? USER_ERRORS[code] : undefined;
  const input = Array.isArray(error.field) ? (error.field as Path) : [];
  return {
    message: text(error.message) ?? "It was refused.",
    meaning: known?.meaning ?? null,
    remedy: known?.remedy ?? REMEDY,
    code,
    upstreamCode: text(error.upstreamCode),
    retryAfterMs: null,
    path: input.length > 0 ? [...path, "input", ...input] : path,
    place: placeOf(operation, path, input),
    times: 1,
  };
}

/** All `userErrors` in an answer's data, and the paths of what they are of. */
function refusals(value: Json | undefined, path: Path): { error: JsonObject; path: Path }[] {
  if (Array.isArray(value)) return value.flatMap((each, index) => refusals(each, [...path, index]));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, each]) =>
    name === "userErrors" && Array.isArray(each)
      ? each.filter(isObject).map((error) => ({ error, path }))
      : refusals(each, [...path, name]),
  );
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}
