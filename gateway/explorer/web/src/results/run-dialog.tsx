import { useEffect, useRef } from "react";
import { accountOf } from "../credentials";
import { useRunQuestion, type RunQuestion } from "../run-question";
import { useModal } from "../use-modal";
import { ABOUT_ACCOUNT, AccountName, OperationText, useDetails } from "./deed";
import type { Ask } from "./deeds";

const RELEASES = /^releasePhoneNumbers?$/;

/** Asks before an operation that changes something is run on a real account. */
export function RunDialog({ ask }: { ask: Ask }) {
  const question = useRunQuestion((state) => state.question);
  return question && <Question question={question} ask={ask} />;
}

function Question({ question, ask }: { question: RunQuestion; ask: Ask }) {
  const { operation, headers, fields, answer } = question;
  const dialog = useModal();
  const leave = useRef<HTMLButtonElement>(null);
  const account = accountOf(headers);
  const about = useDetails(() => ask({ query: ABOUT_ACCOUNT, variables: { account } }, headers));
  const danger = fields.some((field) => RELEASES.test(field));

  useEffect(() => leave.current?.focus(), []);

  return (
    <dialog
      ref={dialog}
      className={danger ? "deed is-danger" : "deed"}
      aria-labelledby="run-title"
      onClose={() => answer(dialog.current?.returnValue === "run")}
    >
      <h2 id="run-title">Run {operation.operationName ?? "this mutation"}?</h2>
      <dl className="deed-about">
        <dt>Account</dt>
        <dd>
          <AccountName sid={account} about={about} />
        </dd>
        <dt>Does</dt>
        <dd>
          <code>{fields.join(", ")}</code>
        </dd>
      </dl>
      <p className="deed-warning">
        The upstream is real: what this changes is changed, and what it buys costs money.
        {danger && " A released number stops working at once, and this API cannot give it back."}
      </p>
      <details open>
        <summary>The operation that is sent</summary>
        <OperationText operation={operation} />
      </details>
      <form method="dialog" className="deed-buttons">
        <button ref={leave} type="submit">
          Cancel
        </button>
        <button type="submit" value="run" className={danger ? "primary is-danger" : "primary"}>
          Run it
        </button>
      </form>
    </dialog>
  );
}
