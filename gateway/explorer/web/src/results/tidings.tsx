import { useEffect } from "react";
import { labelFor, tell } from "./deed";
import { dismiss, lookUp, show, useDeeds, type Ask } from "./deeds";
import { spaced } from "./format";

/** What becomes of deeds whose dialog is closed, told wherever somebody is in the page. */
export function Tidings({ ask }: { ask: Ask }) {
  const { all, open } = useDeeds();
  const news = Object.values(all).filter(({ key, told }) => key !== open && !told);
  const busy = Object.values(all).some(({ stage }) => stage.is === "running");

  // Whoever leaves now would not be told.
  useEffect(() => {
    if (!busy) return undefined;
    const hold = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", hold);
    return () => removeEventListener("beforeunload", hold);
  }, [busy]);

  return (
    <ul className="tidings" aria-live="polite" aria-label="What became of it">
      {news.map((deed) => (
        <li key={deed.key} className={`is-${deed.stage.is}`}>
          <p>
            <b>
              {deed.verb} {spaced(deed.number)}.
            </b>{" "}
            {deed.stage.is === "running" ? labelFor(deed.verb, deed.stage) : tell(deed)}
          </p>
          {deed.stage.is === "unknown" && (
            <button type="button" className="small" onClick={() => void lookUp(deed, ask)}>
              Look it up
            </button>
          )}
          <button type="button" className="quiet" onClick={() => show(deed)}>
            Show
          </button>
          {!["running", "looking", "unknown"].includes(deed.stage.is) && (
            <button type="button" className="quiet" onClick={() => dismiss(deed)}>
              Dismiss
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}
