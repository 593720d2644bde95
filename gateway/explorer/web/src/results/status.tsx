import { useGraphiQL } from "@graphiql/react";
import type { Setback } from "../answers";
import { useAnswerOf, useFrontTab } from "../front-tab";
import { AnswerHeaders } from "./answer-headers";
import type { Ask } from "./deeds";
import { stop } from "../feeds";
import { openPanel, UPSTREAM_TITLE } from "../panels";
import { range } from "../upstream/plan-view";
import { count, milliseconds } from "./format";

const CHIPS: Record<Setback, { look: string; title: string }> = {
  refused: { look: "is-error", title: "A change was refused: see userErrors" },
  "not done": { look: "is-error", title: "Nothing was done: see userErrors" },
  "outcome unknown": {
    look: "is-unknown",
    title: "It is not known whether a change was made: look before you try again",
  },
};

/** One line about the last answer: HTTP status, time, calls upstream; the last leads to the panel. */
export function Status({ ask }: { ask: Ask }) {
  // Else the Run button stops it.
  const isLookedAt = useGraphiQL((state) => state.subscription !== null);
  const tab = useFrontTab();
  const answer = useAnswerOf(tab);
  if (!answer || answer.outdated) return <p className="status" />;

  const { upstream } = answer;
  const setbacks = new Set([...answer.setbacks, ...(answer.deeds.at(-1)?.setbacks ?? [])]);
  return (
    <p className="status" role="status">
      {answer.hasErrors && <span className="chip is-error">errors</span>}
      {[...setbacks].map((setback) => (
        <span key={setback} className={`chip ${CHIPS[setback].look}`} title={CHIPS[setback].title}>
          {setback}
        </span>
      ))}
      {answer.kind === "subscription" ? (
        <>
          <span className={answer.ended ? "chip" : "chip is-live"}>
            {count(answer.eventCount, "event")}
            {answer.ended && <> · {answer.ended}</>}
          </span>
          {tab && !answer.ended && !isLookedAt && (
            <button type="button" className="small" onClick={() => stop(tab.id)}>
              Stop
            </button>
          )}
        </>
      ) : (
        <>
          {answer.persisted && (
            <span className="chip" title="Automatic persisted query">
              {answer.persisted === "hit" ? "sent as hash" : "hash registered"}
            </span>
          )}
          <span title={answer.requestId ? `Request ${answer.requestId}` : undefined}>
            {answer.status || "no answer"} · {milliseconds(answer.durationMs)}
          </span>
          {Object.keys(answer.headers ?? {}).length > 0 && <AnswerHeaders answer={answer} ask={ask} />}
        </>
      )}
      {upstream && (
        <button
          type="button"
          className="chip is-link"
          title={answer.planned ? `Planned ${range(answer.planned)}, made ${upstream.sent}` : undefined}
          onClick={() => openPanel(UPSTREAM_TITLE)}
        >
          {count(upstream.sent, "call")} upstream
          {upstream.saved > 0 && <b>{upstream.saved} saved</b>}
        </button>
      )}
    </p>
  );
}
