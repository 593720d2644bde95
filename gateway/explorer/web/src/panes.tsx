import { pick, useGraphiQL } from "@graphiql/react";
import { useEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { useAnswers } from "./answers";
import { closePanel, openPanel, UPSTREAM_TITLE } from "./panels";

/** What a phone shows, one at a time. */
const PANES = { operation: "Operation", result: "Result", upstream: "Upstream" } as const;
type Pane = keyof typeof PANES;

/**
 * Where there is no room for two panes, these tabs choose one; style sheets hide the others, and the tabs
 * where there is room. To run an operation brings its result, to choose another brings the operation.
 */
export function Panes() {
  const [pane, setPane] = useState<Pane>("operation");
  const [place, setPlace] = useState<Element | null>(null);
  const { activeTabIndex, visiblePlugin } = useGraphiQL(pick("activeTabIndex", "visiblePlugin"));
  const begun = useAnswers((state) => state.begun);
  const list = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const own = document.createElement("div");
    document.querySelector(".graphiql-sessions")?.prepend(own);
    setPlace(own);
    return () => own.remove();
  }, []);
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
  const move = (by: number) => {
    const names = Object.keys(PANES) as Pane[];
    const next = names.at((names.indexOf(shown) + by) % names.length);
    if (next) show(next);
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };

  if (!place) return null;
  return createPortal(
    <div
      ref={list}
      className="panes"
      role="tablist"
      aria-label="What is shown"
      onKeyDown={({ key }) => {
        if (key === "ArrowRight") move(1);
        if (key === "ArrowLeft") move(-1);
      }}
    >
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
