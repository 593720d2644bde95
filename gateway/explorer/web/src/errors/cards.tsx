import { pick, useGraphiQL } from "@graphiql/react";
import { Fragment, type ReactNode } from "react";
import { Copyable } from "../results/copyable";
import { milliseconds } from "../results/format";
import type { Place } from "./place";
import type { Problem } from "./problems";

/** More than these say nothing that the first ones do not. */
const MOST = 30;

interface Props {
  problems: Problem[];
  requestId: string | null;
  onShowJson(): void;
}

/** What went wrong, and what to do about it, a card for each. */
export function ErrorCards({ problems, requestId, onShowJson }: Props) {
  return (
    <section className="results-view errors" aria-label="What went wrong">
      <ol>
        {problems.slice(0, MOST).map((problem, index) => (
          <Card key={index} problem={problem} />
        ))}
      </ol>
      {problems.length > MOST && <p>And {problems.length - MOST} more: the JSON holds them all.</p>}
      <footer>
        {requestId && (
          <span className="errors-request">
            Request <Copyable text={requestId} name="request's id" />
          </span>
        )}
        <button type="button" className="small" onClick={onShowJson}>
          Show the JSON
        </button>
      </footer>
    </section>
  );
}

function Card({ problem }: { problem: Problem }) {
  const { message, meaning, remedy, code, upstreamCode, retryAfterMs, times } = problem;
  return (
    <li className="error-card">
      <h3>
        {message}
        {times > 1 && <small> {times} times</small>}
      </h3>
      {meaning && meaning !== message && <p className="error-meaning">{marked(meaning)}</p>}
      <p className="error-remedy">
        <b>What to do</b> {marked(remedy)}
        {retryAfterMs !== null && <> It may be tried again in {milliseconds(retryAfterMs)}.</>}
      </p>
      <p className="error-facts">
        <PlaceButton problem={problem} />
        {code && <code>{code}</code>}
        {upstreamCode && <span>Twilio’s code {upstreamCode}</span>}
      </p>
    </li>
  );
}

/** The place in the operation; a click takes the cursor there. */
function PlaceButton({ problem: { place, path } }: { problem: Problem }) {
  const { queryEditor } = useGraphiQL(pick("queryEditor"));
  const name = path.filter((step) => typeof step === "string").join(".");
  if (!place) return name ? <code>{name}</code> : null;
  const go = ({ line, column }: Place) => {
    queryEditor?.setPosition({ lineNumber: line, column });
    queryEditor?.revealLineInCenterIfOutsideViewport(line);
    queryEditor?.focus();
  };
  return (
    <button type="button" className="small" title="Go there in the operation" onClick={() => go(place)}>
      {name && <>{name}, </>}line {place.line}
    </button>
  );
}

/** The tables put code in backquotes. */
function marked(text: string): ReactNode {
  return text
    .split("`")
    .map((part, index) =>
      index % 2 ? <code key={index}>{part}</code> : <Fragment key={index}>{part}</Fragment>,
    );
}
