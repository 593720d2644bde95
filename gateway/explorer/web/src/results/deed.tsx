import { useEffect, useRef, useState, type ReactNode } from "react";
import { isObject, objects, type JsonObject } from "../json";
import { useModal } from "../use-modal";
import type { Exchange, Operation } from "../wire";
import { act, close, lookUp, operationOf, type Ask, type Deed, type Stage, type Verb } from "./deeds";
import { cellsOf, factsOf } from "./facts";
import { spaced } from "./format";
import type { Row } from "./rows";

/** What a row offers at this moment. */
export interface Offer {
  label: string;
  /** The number that it is about, as people read it. */
  of: string;
  /** What to do when it is taken up; null where there is nothing to do. */
  take: (() => void) | null;
  danger: boolean;
}

/** What can be done with the rows of a list. */
export interface RowAction {
  /** Null for a row that nothing can be done with. */
  offer(row: Row): Offer | null;
}

const PAST: Record<Verb, string> = { Buy: "Bought", Release: "Released" };
const PRESENT: Record<Verb, string> = { Buy: "Buying", Release: "Releasing" };

export function labelFor(verb: Verb, stage: Stage | undefined): string {
  switch (stage?.is) {
    case "running":
      return `${PRESENT[verb]}…`;
    case "looking":
      return "Looking…";
    case "unknown":
      return "Look it up";
    case "done":
      return PAST[verb];
    case "owned":
      return "Owned";
    default:
      return verb;
  }
}

export function ActionButton({ offer, tabIndex }: { offer: Offer | null; tabIndex?: number }) {
  if (!offer) return null;
  return (
    <button
      type="button"
      className={offer.danger ? "small is-danger" : "small"}
      aria-label={`${offer.label} ${offer.of}`}
      disabled={!offer.take}
      tabIndex={tabIndex}
      onClick={() => offer.take?.()}
    >
      {offer.label}
    </button>
  );
}

/** The outcome in a few words: what happened, and where that leads. */
export function tell({ verb, stage, account }: Deed): ReactNode {
  const whose = account ? <code>{account}</code> : "The account";
  switch (stage.is) {
    case "running":
      return `${PRESENT[verb]}… This cannot be called back. You may close this window: the outcome will be told.`;
    case "looking":
      return "Looking it up…";
    case "done":
      return (
        <>
          <b>{PAST[verb]}.</b>{" "}
          {stage.seen && (verb === "Buy" ? "The account has it." : "The account does not have it any more.")}{" "}
          {stage.sid && <code>{stage.sid}</code>}
        </>
      );
    case "owned":
      return (
        <>
          <b>Owned already.</b> {whose} had this number before; nothing was bought.
        </>
      );
    case "refused":
      return (
        <>
          <b>{stage.setback === "not done" ? "Not done." : "Refused."}</b> {stage.why}
        </>
      );
    case "unknown":
      return (
        <>
          <b>Outcome unknown.</b> {stage.why}
        </>
      );
    case "untraced":
      return (
        <>
          <b>{verb === "Buy" ? "Not owned." : "Not released."}</b> At {stage.at} {whose}{" "}
          {verb === "Buy" ? "did not have" : "still had"} this number. The first attempt may still be on its
          way: another one carries the same key, so that it is not done twice.
        </>
      );
    case "asking":
      return null;
  }
}

interface Props {
  deed: Deed;
  /** Whether nothing costs anything. */
  sandbox: boolean;
  ask: Ask;
  /** What can be done next. */
  next?: ReactNode;
  /** Told beside it: what becomes of other deeds. */
  children?: ReactNode;
}

/** Asks before it acts, says on whom and on what, and shows the very operation that it sends. */
export function DeedDialog({ deed, sandbox, ask, next, children }: Props) {
  const { verb, number, stage } = deed;
  const dialog = useModal();
  const leave = useRef<HTMLButtonElement>(null);
  const about = useAbout(deed, ask);
  const [typed, setTyped] = useState("");
  const last = number.slice(-4);

  // Nobody buys by leaning on Enter: the way out has the focus, before and after. While the operation
  // runs nothing has it.
  useEffect(() => {
    if (stage.is !== "running" && stage.is !== "looking") leave.current?.focus();
    // Another try is to be confirmed anew.
    setTyped("");
  }, [stage]);

  const asks = stage.is === "asking" || stage.is === "refused" || stage.is === "untraced";
  const release = verb === "Release";
  return (
    <dialog
      ref={dialog}
      className={release ? "deed is-danger" : "deed"}
      aria-labelledby="deed-title"
      onClose={() => close(deed)}
    >
      <h2 id="deed-title">
        {verb} {spaced(number)}
      </h2>
      <About deed={deed} about={about} />
      <p className="deed-warning">{warning(verb, sandbox)}</p>
      {release && asks && (
        <label className="deed-confirm">
          Type the last four digits of the number to release it
          <input
            value={typed}
            inputMode="numeric"
            autoComplete="off"
            maxLength={4}
            size={6}
            onChange={(event) => setTyped(event.target.value)}
          />
        </label>
      )}
      <details>
        <summary>The operation that is sent</summary>
        <OperationText operation={operationOf(deed)} />
      </details>
      <p role="status" className={`deed-outcome is-${stage.is}`}>
        {tell(deed)}
      </p>
      {next}
      <form method="dialog" className="deed-buttons">
        <button ref={leave} type="submit">
          {asks ? "Cancel" : "Close"}
        </button>
        {stage.is === "unknown" && (
          <button type="button" className="primary" onClick={() => void lookUp(deed, ask)}>
            Look it up
          </button>
        )}
        {asks && (
          <button
            type="button"
            className={release ? "primary is-danger" : "primary"}
            disabled={release && typed !== last}
            onClick={() => void act(deed, ask)}
          >
            {verb} this number
          </button>
        )}
      </form>
      {children}
    </dialog>
  );
}

/** What is sent, word for word. */
export function OperationText({ operation }: { operation: Operation }) {
  return (
    <>
      <pre>{operation.query}</pre>
      {operation.variables && <pre>{JSON.stringify(operation.variables, null, 2)}</pre>}
    </>
  );
}

function warning(verb: Verb, sandbox: boolean): string {
  if (verb === "Buy")
    return sandbox
      ? "The sandbox charges nothing."
      : "This costs money. It is charged to the account at once.";
  return (
    "The number stops working at once, and somebody else may get it. This API cannot give it back; Twilio's" +
    " console can, within ten days and as long as nobody else has it."
  );
}

function About({ deed, about }: { deed: Deed; about: Details | null }) {
  // What the row tells counts: it is of the very API that was asked.
  const told = Object.fromEntries(Object.entries(deed.row.cells).filter(([, cell]) => cell !== null));
  const { place, capabilities, price } = factsOf({ ...cellsOf(about?.number), ...told });
  const unknown = about ? "not known" : "…";
  return (
    <dl className="deed-about">
      <dt>Account</dt>
      <dd>
        <AccountName sid={deed.account} about={about} />
      </dd>
      <dt>Number</dt>
      <dd>
        <code>{deed.number}</code> {deed.sid && <code>{deed.sid}</code>}
      </dd>
      <dt>Place</dt>
      <dd>{place ?? <i>{unknown}</i>}</dd>
      <dt>Capabilities</dt>
      <dd>{capabilities ?? <i>{unknown}</i>}</dd>
      {deed.verb === "Buy" && (
        <>
          <dt>Price</dt>
          <dd>{price ?? <i>{unknown}</i>}</dd>
        </>
      )}
    </dl>
  );
}

/** By name and sid, as far as they are known. */
export function AccountName({ sid, about }: { sid: string | null; about: Details | null }) {
  const known = sid ?? about?.account?.sid;
  const name = about?.account?.name;
  return (
    <>
      {name ? <b>{name}</b> : <i>{about ? "name not known" : "…"}</i>}{" "}
      {known ? <code>{known}</code> : about && <i>the one that the gateway acts for</i>}
    </>
  );
}

export interface Details {
  account: { sid: string; name: string | null } | null;
  /** The number, owned or for sale. */
  number: JsonObject | null;
}

const ACCOUNT = "account(sid: $account) { sid friendlyName }";
export const ABOUT_ACCOUNT = `query AboutAccount($account: ID) { ${ACCOUNT} }`;
const NUMBER = `geography { isoCountry region locality rateCenter }
    capabilities { voice { enabled } sms { enabled } mms { enabled } }`;
const ABOUT_NUMBER = `query AboutNumber($account: ID, $sid: ID!) {
  ${ACCOUNT}
  phoneNumber(sid: $sid, accountSid: $account) {
    ${NUMBER}
  }
}`;
/** What a number may be of which the answer does not tell the kind. */
const KINDS = ["LOCAL", "MOBILE", "TOLL_FREE"];
const ABOUT_OFFER = `query AboutOffer($account: ID, $country: CountryCode!, $types: [NumberType!], $number: E164!) {
  ${ACCOUNT}
  availablePhoneNumbers(
    accountSid: $account, country: $country, types: $types, filter: { phoneNumber: $number }, first: 1
  ) {
    nodes {
      ${NUMBER}
      monthlyPrice { amount currencyCode }
      setupPrice { amount currencyCode }
    }
  }
}`;

function useAbout(deed: Deed, ask: Ask): Details | null {
  return useDetails(() => ask(questionAbout(deed), deed.headers));
}

function questionAbout({ verb, account, sid, number, row }: Deed): Operation {
  if (verb === "Release") return { query: ABOUT_NUMBER, variables: { account, sid } };
  const { country, cells } = row;
  const { place, capabilities, price } = factsOf(cells);
  if (!country || (place && capabilities && price) || !/^\+\d{2,15}$/.test(number))
    return { query: ABOUT_ACCOUNT, variables: { account } };
  const types = typeof cells.type === "string" ? [cells.type] : KINDS;
  return { query: ABOUT_OFFER, variables: { account, country, types, number } };
}

/** Ask once, when the question is put. */
export function useDetails(ask: () => Promise<Exchange>): Details | null {
  const [details, setDetails] = useState<Details | null>(null);
  const [asked] = useState(() => ask);
  useEffect(() => {
    let gone = false;
    void asked().then(({ body }) => {
      const data = isObject(body.data) ? body.data : {};
      const { sid, friendlyName } = isObject(data.account) ? data.account : {};
      const account =
        typeof sid === "string"
          ? { sid, name: typeof friendlyName === "string" ? friendlyName : null }
          : null;
      const offers = isObject(data.availablePhoneNumbers) ? objects(data.availablePhoneNumbers.nodes) : [];
      const number = isObject(data.phoneNumber) ? data.phoneNumber : (offers[0] ?? null);
      if (!gone) setDetails({ account, number });
    });
    return () => {
      gone = true;
    };
  }, [asked]);
  return details;
}
