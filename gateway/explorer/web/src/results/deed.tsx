import { useEffect, useRef, useState } from "react";
import { isObject, type JsonObject } from "../json";
import type { Exchange, Operation } from "../wire";
import { spaced } from "./format";
import type { Row } from "./rows";

/** Something that a person can do with a row, after being asked. */
export interface Deed {
  phoneNumber: string;
  label: string;
  title: string;
  warning: string;
  done: string;
  operation: Operation;
}

const BUY = `mutation Buy($number: E164!) {
  purchasePhoneNumber(input: { phoneNumber: $number }) {
    phoneNumber { sid phoneNumber accountSid }
    userErrors { field code message }
  }
}`;

const RELEASE = `mutation Release($sid: ID!, $number: E164!) {
  releasePhoneNumber(input: { sid: $sid, confirmPhoneNumber: $number }) {
    releasedSid
    releasedPhoneNumber
    userErrors { field code message }
  }
}`;

/** What can be done with the rows of a list, and with which it has been done already. */
export interface RowAction {
  label: string;
  doneLabel: string;
  done: ReadonlySet<string>;
  run(row: Row): void;
}

export function isDone(action: RowAction, row: Row): boolean {
  return row.phoneNumber !== null && action.done.has(row.phoneNumber);
}

export function ActionButton({ action, row, tabIndex }: { action: RowAction; row: Row; tabIndex?: number }) {
  const done = isDone(action, row);
  return (
    <button
      type="button"
      className="small"
      disabled={done}
      tabIndex={tabIndex}
      onClick={() => action.run(row)}
    >
      {done ? action.doneLabel : action.label}
    </button>
  );
}

/** The verb that fits rows of a GraphQL type. */
export function verbFor(typeName: string | null, rows: Row[]): "Buy" | "Release" | null {
  if (typeName === "AvailablePhoneNumber" && rows.some((row) => row.phoneNumber)) return "Buy";
  // Without its sid, a number cannot be released: the operation has to ask for it.
  if (typeName === "PhoneNumber" && rows.some((row) => row.phoneNumber && row.sid)) return "Release";
  return null;
}

export function deedFor(verb: "Buy" | "Release", row: Row, sandbox: boolean): Deed | null {
  if (!row.phoneNumber) return null;
  const number = row.phoneNumber;
  if (verb === "Buy") {
    const price = row.cells.baseRecurringPrice;
    return {
      phoneNumber: number,
      label: "Buy this number",
      title: `Buy ${spaced(number)}`,
      warning: sandbox
        ? "The sandbox charges nothing."
        : `This costs money${typeof price === "number" ? `: ${price} a month` : ""}. It is charged to the account at once.`,
      done: "Bought.",
      operation: { query: BUY, operationName: "Buy", variables: { number } },
    };
  }
  if (!row.sid) return null;
  return {
    phoneNumber: number,
    label: "Release this number",
    title: `Release ${spaced(number)}`,
    warning: "Somebody else may get the number. Only Twilio's console can give it back, within ten days.",
    done: "Released.",
    operation: { query: RELEASE, operationName: "Release", variables: { sid: row.sid, number } },
  };
}

interface Props {
  deed: Deed;
  run(operation: Operation): Promise<Exchange>;
  onDone(): void;
  onClose(): void;
}

type Stage =
  { is: "asking" } | { is: "running" } | { is: "done"; sid: string | null } | { is: "refused"; why: string };

/** Asks before it acts, shows the very operation that it sends, and says what came of it. */
export function DeedDialog({ deed, run, onDone, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const leave = useRef<HTMLButtonElement>(null);
  const [stage, setStage] = useState<Stage>({ is: "asking" });

  useEffect(() => dialog.current?.showModal(), []);
  // Nobody buys by leaning on Enter: the way out has the focus, before and after. While the operation
  // runs nothing has it.
  useEffect(() => {
    if (stage.is !== "running") leave.current?.focus();
  }, [stage]);

  const act = async () => {
    setStage({ is: "running" });
    try {
      const next = outcome((await run(deed.operation)).body);
      setStage(next);
      if (next.is === "done") onDone();
    } catch (error) {
      setStage({ is: "refused", why: error instanceof Error ? error.message : String(error) });
    }
  };

  const finished = stage.is === "done";
  return (
    <dialog ref={dialog} className="deed" aria-labelledby="deed-title" onClose={onClose}>
      <h2 id="deed-title">{deed.title}</h2>
      <p className="deed-warning">{deed.warning}</p>
      <details>
        <summary>The operation that is sent</summary>
        <pre>{deed.operation.query}</pre>
        <pre>{JSON.stringify(deed.operation.variables, null, 2)}</pre>
      </details>
      <p role="status" className={`deed-outcome is-${stage.is}`}>
        {stage.is === "running" && "Working…"}
        {stage.is === "done" && (
          <>
            {deed.done} {stage.sid && <code>{stage.sid}</code>}
          </>
        )}
        {stage.is === "refused" && stage.why}
      </p>
      <form method="dialog" className="deed-buttons">
        <button ref={leave} type="submit">
          {finished ? "Close" : "Cancel"}
        </button>
        {!finished && (
          <button
            type="button"
            className="primary"
            disabled={stage.is === "running"}
            onClick={() => void act()}
          >
            {deed.label}
          </button>
        )}
      </form>
    </dialog>
  );
}

/** Refusals by the upstream are data, faults are errors: both are sentences for people. */
function outcome(body: JsonObject): Stage {
  const errors = Array.isArray(body.errors) ? body.errors.filter(isObject) : [];
  if (errors.length > 0)
    return { is: "refused", why: errors.map((error) => String(error.message)).join(" ") };
  const payload = isObject(body.data) ? Object.values(body.data).find(isObject) : undefined;
  const refusals = Array.isArray(payload?.userErrors) ? payload.userErrors.filter(isObject) : [];
  if (refusals.length > 0)
    return { is: "refused", why: refusals.map((error) => String(error.message)).join(" ") };
  if (!payload) return { is: "refused", why: "The gateway gave no answer." };
  const sid = isObject(payload.phoneNumber) ? payload.phoneNumber.sid : payload.releasedSid;
  return { is: "done", sid: typeof sid === "string" ? sid : null };
}
