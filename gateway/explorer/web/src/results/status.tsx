import { pick, useGraphiQL } from "@graphiql/react";
import { useAnswers } from "../answers";
import { openPanel, UPSTREAM_TITLE } from "../panels";
import { count, milliseconds } from "./format";

/** One line about the last answer: HTTP status, time, calls upstream; the last leads to the panel. */
export function Status() {
  const { tabs, activeTabIndex, isFetching } = useGraphiQL(pick("tabs", "activeTabIndex", "isFetching"));
  const tab = tabs[activeTabIndex];
  const answer = useAnswers((state) => (tab ? state.byTab[tab.id] : undefined));
  if (!answer) return <p className="status" />;

  const { upstream } = answer;
  return (
    <p className="status" role="status">
      {answer.hasErrors && <span className="chip is-error">errors</span>}
      {answer.refused && (
        <span className="chip is-error" title="The upstream refused a change: see userErrors">
          refused
        </span>
      )}
      {answer.kind === "subscription" ? (
        <span className={isFetching || answer.events.length > 0 ? "chip is-live" : "chip"}>
          {count(answer.events.length, "event")}
        </span>
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
        </>
      )}
      {upstream && (
        <button type="button" className="chip is-link" onClick={() => openPanel(UPSTREAM_TITLE)}>
          {count(upstream.sent, "call")} upstream
          {upstream.saved > 0 && <b>{upstream.saved} saved</b>}
        </button>
      )}
    </p>
  );
}
