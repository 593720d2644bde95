/** PURE: from the trace's attempts to one line a call, and the lines of each field together. */
import { shortened } from "../results/format";
import { parametersOf } from "./curl";
import type { UpstreamCall } from "./types";

/** One call as a field has asked for it, with all that was sent for its sake. */
export interface Line {
  call: UpstreamCall;
  /** What was sent: one attempt, or several where one failed or took long. None for what was spared. */
  attempts: UpstreamCall[];
}

export interface Group {
  /** Response paths of the fields that asked, without indices. */
  fields: string;
  lines: Line[];
}

/** Attempts after the first belong to the call that they repeat. */
export function linesOf(calls: UpstreamCall[]): Line[] {
  const lines: Line[] = [];
  for (const call of calls) {
    const sent = call.outcome === "sent" || call.outcome === "hedge";
    const again = call.outcome === "hedge" || (call.attempt ?? 1) > 1;
    const first = again
      ? lines.findLast((line) => line.attempts.length > 0 && isSame(line.call, call))
      : undefined;
    if (first) first.attempts.push(call);
    else lines.push({ call, attempts: sent ? [call] : [] });
  }
  return lines;
}

function isSame(one: UpstreamCall, other: UpstreamCall): boolean {
  const [first, second] = [one, other].map(({ method, path, query, parameters }) =>
    JSON.stringify([method, path, query, parameters]),
  );
  return first === second;
}

/** In the order in which fields first asked. */
export function groupsOf(lines: Line[]): Group[] {
  const groups = new Map<string, Group>();
  for (const line of lines) {
    const fields = line.call.fields.join(", ");
    const group = groups.get(fields) ?? { fields, lines: [] };
    group.lines.push(line);
    groups.set(fields, group);
  }
  return [...groups.values()];
}

/** The attempt that the call came to: the last, unless it was given up for the sake of another. */
export function outcomeOf({ call, attempts }: Line): UpstreamCall {
  return attempts.findLast(({ overtaken }) => !overtaken) ?? attempts.at(-1) ?? call;
}

export function hasFailed({ status, outcome }: UpstreamCall): boolean {
  return status === null ? outcome === "sent" : status >= 400;
}

/** What all calls of an account's numbers begin with says nothing. */
const COMMON = /^\/(2010-04-01\/Accounts\/AC\w+|Numbers|v\d\/\w+)\//;

/** What tells a call apart from the others of its group: its path, or what it asks for by the same path. */
export function labelFor({ call }: Line, { lines }: Group): string {
  const alike = lines.some((other) => other.call.path === call.path && other.call.query !== call.query);
  const asked = parametersOf({ ...call, parameters: [] }).filter(([name]) => name !== "PageSize");
  if (alike && asked.length > 0) return asked.map(([name, value]) => `${name}=${value}`).join(" ");
  return shortened(call.path.replace(COMMON, "")).replace(/\.json$/, "");
}

const SPARED: Record<string, string> = {
  coalesced: "shared",
  cached: "cached",
  primed: "known",
};

/** What became of a call, in a word. */
export function wordFor(line: Line): string {
  const { outcome, count = 1 } = line.call;
  const last = outcomeOf(line);
  const word = SPARED[outcome] ?? String(last.status ?? "no answer");
  return count > 1 ? `${word} ×${count}` : word;
}

const REASONS: Record<string, string> = {
  coalesced: "Not sent: an equal read was on its way, and its answer was shared.",
  cached: "Not sent: the answer was in the gateway's cache.",
  primed: "Not sent: another call had told it already.",
};

export function reasonFor({ call }: Line): string | null {
  return REASONS[call.outcome] ?? null;
}
