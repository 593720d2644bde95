/** What people do with rows, from the question to the outcome; it goes on whatever they look at meanwhile. */
import { create } from "zustand";
import { setbackOf, useAnswers, type Shown } from "../answers";
import { accountOf, asker, type Headers } from "../credentials";
import { noteDeed } from "../fetcher";
import { isObject, objects, type Json, type JsonObject } from "../json";
import { noteTouched, type Owned } from "../touched";
import type { Exchange, Operation } from "../wire";
import type { Row } from "./rows";

export type Verb = "Buy" | "Release";

/** Asks the gateway; `traced` for what the page counts as an operation that a person ran. */
export type Ask = (operation: Operation, headers: Headers, traced?: "traced") => Promise<Exchange>;

export type Stage =
  | { is: "asking" }
  | { is: "running" }
  /** `seen`: its answer was lost, and looking showed it. */
  | { is: "done"; sid: string | null; seen: boolean }
  /** The account has the number already: nothing was bought. */
  | { is: "owned"; sid: string | null }
  /** Nothing was done; `setback` says it in a word. */
  | { is: "refused"; setback: "refused" | "not done"; why: string }
  | { is: "unknown"; why: string }
  | { is: "looking" }
  /** It was looked up after a lost answer, and shows no trace of the deed. */
  | { is: "untraced"; at: string };

export interface Deed {
  /** Verb, account and number: one at a time. */
  key: string;
  verb: Verb;
  number: string;
  sid: string | null;
  /** Where it is done; null for the account that the gateway itself acts for. */
  account: string | null;
  /** Those that the row was read with. */
  headers: Headers;
  row: Row;
  /** The run that the row is of. */
  run: number;
  /** Kept until the outcome is settled, so that asking again never acts twice. */
  idempotencyKey: string;
  stage: Stage;
  /** Whether its stage has been seen, or is none to be told beside the dialog. */
  told: boolean;
  /** How many operations had been sent when it was settled: rows that were asked for later know of it. */
  settled: number | null;
}

interface Deeds {
  all: Record<string, Deed>;
  /** Key of the one whose dialog is open. */
  open: string | null;
}

export const useDeeds = create<Deeds>(() => ({ all: {}, open: null }));

const BUY = `mutation Buy($number: E164!, $account: ID, $key: String!) {
  purchasePhoneNumber(input: { phoneNumber: $number, accountSid: $account, idempotencyKey: $key }) {
    phoneNumber { sid phoneNumber accountSid }
    userErrors { field code message }
  }
}`;

const RELEASE = `mutation Release($sid: ID!, $number: E164!, $account: ID, $key: String!) {
  releasePhoneNumber(
    input: { sid: $sid, confirmPhoneNumber: $number, accountSid: $account, idempotencyKey: $key }
  ) {
    releasedId
    releasedNumber
    userErrors { field code message }
  }
}`;

const LOOK_UP = `query LookUp($number: E164!, $account: ID) {
  phoneNumber: phoneNumberByIdentifier(identifier: { phoneNumber: $number }, accountSid: $account) {
    sid phoneNumber accountSid
  }
}`;

export function operationOf(deed: Deed): Operation {
  const { number, sid, account, idempotencyKey: key } = deed;
  if (deed.verb === "Buy") return { query: BUY, operationName: "Buy", variables: { number, account, key } };
  return { query: RELEASE, operationName: "Release", variables: { sid, number, account, key } };
}

/** By whom a row was read, and when. */
type Asked = Pick<Shown, "headers" | "run">;

/** The account that acting on a row is for; undefined when the answer does not say whose the row is. */
function accountFor(row: Row, shown: Asked): string | null | undefined {
  return row.accountSid === null ? accountOf(shown.headers) : row.accountSid;
}

function keyOf(verb: Verb, row: Row, shown: Asked): string {
  return JSON.stringify([verb, accountFor(row, shown) ?? asker(shown.headers), row.phoneNumber]);
}

/** Whether a row says enough to act on it: without its sid, a number cannot be released. */
export function canDo(verb: Verb, row: Row): boolean {
  return row.phoneNumber !== null && row.accountSid !== undefined && (verb === "Buy" || row.sid !== null);
}

/** The deed that concerns a row, if there is one that its answer does not know of. */
export function deedOf(all: Deeds["all"], verb: Verb, row: Row, shown: Asked): Deed | undefined {
  const deed = all[keyOf(verb, row, shown)];
  return deed && (deed.settled === null || deed.settled >= shown.run) ? deed : undefined;
}

/** Open the dialog for a row: the one that is under way, or a new one. */
export function begin(verb: Verb, row: Row, shown: Asked): Deed | null {
  if (!canDo(verb, row) || row.phoneNumber === null) return null;
  const key = keyOf(verb, row, shown);
  const known = deedOf(useDeeds.getState().all, verb, row, shown);
  const deed: Deed = known ?? {
    key,
    verb,
    number: row.phoneNumber,
    sid: row.sid,
    account: accountFor(row, shown) ?? null,
    headers: shown.headers,
    row,
    run: shown.run,
    idempotencyKey: newKey(),
    stage: { is: "asking" },
    told: true,
    settled: null,
  };
  useDeeds.setState(({ all }) => ({ all: { ...all, [key]: deed }, open: key }));
  return deed;
}

/** Open the dialog of a purchase that an operation has made, to go on from there. */
export function showBought({ sid, phoneNumber, accountSid }: Owned, shown: Asked): void {
  const cells = { phoneNumber, sid, accountSid };
  const row = { cells, phoneNumber, sid, accountSid, country: null, place: null, source: cells };
  const deed = begin("Buy", row, shown);
  if (deed?.stage.is === "asking") {
    move(deed.key, { is: "done", sid, seen: false });
    change(deed.key, { told: true });
  }
}

export function show(deed: Deed): void {
  useDeeds.setState({ open: deed.key });
}

/** Close the dialog. What was only asked is over; what was sent goes on. */
export function close({ key }: Deed): void {
  const deed = useDeeds.getState().all[key];
  useDeeds.setState({ open: null });
  if (deed && deed.stage.is !== "running" && deed.stage.is !== "looking") dismiss(deed);
}

/** Take note of an outcome. Where nothing was done nothing is left of it; an open one is not over. */
export function dismiss({ key, stage }: Deed): void {
  if (stage.is !== "asking" && stage.is !== "refused") return change(key, { told: stage.is !== "unknown" });
  useDeeds.setState(({ all }) => {
    const { [key]: _, ...others } = all;
    return { all: others };
  });
}

/** Do it, unless it is being done or it is not known whether it was. */
export async function act({ key }: Deed, ask: Ask): Promise<void> {
  const deed = useDeeds.getState().all[key];
  if (!deed || !["asking", "refused", "untraced"].includes(deed.stage.is)) return;
  move(key, { is: "running" });
  const operation = operationOf(deed);
  const { status, body } = await sendChange(deed, operation, ask);
  const stage = outcome(status, body);
  move(key, stage);
  // What was refused for good would be told again for the same key: another try is another intention.
  if (stage.is === "refused" && payloadOf(body)) change(key, { idempotencyKey: newKey() });
}

/** Send a change that goes on from a row, and let the page know of it. */
export async function sendChange({ run, headers }: Asked, operation: Operation, ask: Ask): Promise<Exchange> {
  const answer = await ask(operation, headers, "traced");
  noteDeed(run, "mutation", operation, answer);
  noteTouched(answer.body.data);
  return answer;
}

/** After a lost answer: look whether the account has the number. */
export async function lookUp({ key }: Deed, ask: Ask): Promise<void> {
  const deed = useDeeds.getState().all[key];
  if (deed?.stage.is !== "unknown") return;
  move(key, { is: "looking" });
  const variables = { number: deed.number, account: deed.account };
  const operation = { query: LOOK_UP, operationName: "LookUp", variables };
  const answer = await ask(operation, deed.headers, "traced");
  noteDeed(deed.run, "query", operation, answer);
  const { body } = answer;
  if (!isObject(body.data) || Array.isArray(body.errors))
    return move(key, { is: "unknown", why: `Looking it up failed: ${messages(body.errors)}` });
  const found = isObject(body.data.phoneNumber) ? body.data.phoneNumber : null;
  const sid = typeof found?.sid === "string" ? found.sid : null;
  if (found && deed.verb === "Buy") noteTouched({ found: { phoneNumber: found } });
  // Released is what the account has no more, or has anew under another sid.
  const done = deed.verb === "Buy" ? found !== null : sid !== deed.sid;
  move(key, done ? { is: "done", sid: sid ?? deed.sid, seen: true } : { is: "untraced", at: clock() });
}

function move(key: string, stage: Stage): void {
  const settled = stage.is === "done" || stage.is === "owned" ? useAnswers.getState().begun : null;
  change(key, { stage, settled, told: false });
}

function change(key: string, changes: Partial<Deed>): void {
  useDeeds.setState(({ all }) => {
    const known = all[key];
    return known ? { all: { ...all, [key]: { ...known, ...changes } } } : {};
  });
}

/** Codes of errors that leave it open whether something was done. */
const OPEN_CODES = new Set<Json | undefined>([undefined, "INTERNAL_SERVER_ERROR", "IDEMPOTENCY_KEY_IN_USE"]);

/**
 * What an answer says of a change: refusals are data, and with an error of the gateway's own nothing was
 * done. What did not come from the gateway, say a proxy's page, says nothing.
 */
export function outcome(status: number, body: JsonObject): Stage {
  const payload = payloadOf(body);
  if (payload) {
    const refusals = objects(payload.userErrors);
    const number = isObject(payload.phoneNumber) ? payload.phoneNumber.sid : payload.releasedId;
    const sid = typeof number === "string" ? number : null;
    const [first] = refusals;
    if (!first) return { is: "done", sid, seen: false };
    if (first.code === "ALREADY_OWNED") return { is: "owned", sid };
    const setback = setbackOf(first.code);
    const why = messages(refusals);
    return setback === "outcome unknown" ? { is: "unknown", why } : { is: "refused", setback, why };
  }
  const errors = objects(body.errors);
  const codes = errors.map(({ extensions }) => (isObject(extensions) ? extensions.code : undefined));
  const open = status === 0 || errors.length === 0 || codes.some((code) => OPEN_CODES.has(code));
  const why = messages(errors);
  return open
    ? { is: "unknown", why: `It may have been done, or not. ${why}` }
    : { is: "refused", setback: "not done", why };
}

function payloadOf(body: JsonObject): JsonObject | undefined {
  return isObject(body.data) ? Object.values(body.data).find(isObject) : undefined;
}

function messages(errors: Json | undefined): string {
  const texts = objects(errors).map(({ message }) => String(message));
  return texts.join(" ") || "The gateway gave no answer.";
}

/** `crypto.randomUUID` is kept from pages that came over plain HTTP from another machine. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `explorer-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function clock(): string {
  return new Date().toLocaleTimeString("en-GB");
}
