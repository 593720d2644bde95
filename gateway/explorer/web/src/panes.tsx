import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useState } from "react";
import { createPortal } from "react-dom";
import { useAnswers } from "./answers";
import { closePanel, openPanel, UPSTREAM_TITLE } from "./panels";
import { usePlace } from "./use-place";

/** What a phone shows, one at a time. */
const PANES = { operation: "Operation", result: "Result", upstream: "Upstream" } as const;
type Pane = keyof typeof PANES;

/**
 * Where there is no room for two panes, these tabs choose one; style sheets hide the others, and the tabs
 * where there is room. To run an operation brings its result, to choose another brings the operation.
 */
export function Panes() {
  const [pane, setPane] = useState<Pane>("operation");
  const place = usePlace(".graphiql-sessions", "afterbegin");
  const { activeTabIndex, visiblePlugin } = useGraphiQL(pick("activeTabIndex", "visiblePlugin"));
  const begun = useAnswers((state) => state.begun);

  useEffect(() => {
    document.body.dataset.pane = pane;
  }, [pane]);
  useEffect(() => setPane("operation"), [activeTabIndex]);
  useEffect(() => {
    if (begun > 0) setPane("result");
  }, [begun]);

  const upstream = visiblePlugin?.title === UPSTREAM_TITLE;
  const shown: Pane = upstream ? "upstream" : pane;
  const show = (next: Pane) => {
    if (next === "upstream") openPanel(UPSTREAM_TITLE);
    else {
      if (upstream) closePanel(UPSTREAM_TITLE);
      setPane(next);
    }
  };

  if (!place) return null;
  return createPortal(
    <div className="panes" role="tablist" aria-label="What is shown">
      {Object.entries(PANES).map(([name, title]) => (
        <button
          key={name}
          type="button"
          role="tab"
          aria-selected={name === shown}
          tabIndex={name === shown ? 0 : -1}
          onClick={() => show(name as Pane)}
        >
          {title}
        </button>
      ))}
    </div>,
    place,
  );
}
