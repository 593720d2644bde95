import { useId, useState } from "react";
import { HAS_CLIPBOARD, useCopying } from "../results/copyable";
import { milliseconds } from "../results/format";
import { curlOf, parametersOf } from "./curl";
import { hasFailed, labelFor, outcomeOf, reasonFor, wordFor, type Group, type Line } from "./lines";
import { useUpstreamAt } from "./upstream-at";
import type { UpstreamCall } from "./types";

/** One call in one line, which opens to all that is known of it. */
export function CallRow({ line, group, end }: { line: Line; group: Group; end: number }) {
  const [open, setOpen] = useState(false);
  const details = useId();
  const { call, attempts } = line;
  const last = outcomeOf(line);
  return (
    <li className={`call is-${call.outcome}${hasFailed(last) ? " is-failed" : ""}`}>
      <button
        type="button"
        className="call-row"
        aria-expanded={open}
        aria-controls={details}
        onClick={() => setOpen(!open)}
      >
        <span className="call-path" title={`${call.method} ${call.path}`}>
          {call.method !== "GET" && <b>{call.method} </b>}
          {labelFor(line, group)}
        </span>
        <span className="call-status">
          {wordFor(line)}
          {attempts.length > 1 && <small> {attempts.length} tries</small>}
        </span>
        <Bar attempts={attempts.length > 0 ? attempts : [call]} end={end} />
        <span className="call-time">{attempts.length > 0 ? milliseconds(spanOf(attempts)) : "—"}</span>
      </button>
      {open && <Details id={details} line={line} />}
    </li>
  );
}

/** Milliseconds from the first attempt's start to the last one's end. */
function spanOf(attempts: UpstreamCall[]): number {
  const start = Math.min(...attempts.map(({ startMs }) => startMs));
  return Math.max(...attempts.map(({ startMs, durationMs }) => startMs + durationMs)) - start;
}

function Bar({ attempts, end }: { attempts: UpstreamCall[]; end: number }) {
  return (
    <svg className="call-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect className="call-track" width="100" height="4" />
      {attempts.map((each, index) => (
        <rect
          key={index}
          className={hasFailed(each) ? "call-span is-failed" : "call-span"}
          x={Math.min(98.5, (100 * each.startMs) / end)}
          width={Math.max(1.5, (100 * each.durationMs) / end)}
          height="4"
        />
      ))}
    </svg>
  );
}

function Details({ id, line }: { id: string; line: Line }) {
  const { call, attempts } = line;
  const sandbox = useUpstreamAt((state) => state.sandbox);
  const { copied, copy } = useCopying();
  const curl = curlOf(call, sandbox);
  const reason = reasonFor(line);
  return (
    <div id={id} className="call-details">
      <p className="call-request">
        <code>
          {call.method} {call.path}
        </code>
      </p>
      {parametersOf(call).length > 0 && (
        <dl className="call-parameters">
          {parametersOf(call).map(([name, value], index) => (
            <div key={index}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {reason && <p>{reason}</p>}
      {attempts.length > 0 && (
        <ol className="call-attempts">
          {attempts.map((each, index) => (
            <li key={index} className={hasFailed(each) ? "is-failed" : ""}>
              <b>{each.status ?? "no answer"}</b> after {milliseconds(each.durationMs)}
              <small>
                {" "}
                sent at {milliseconds(each.startMs)}
                {each.outcome === "hedge" && ", beside the first, which took long"}
                {each.overtaken && ", given up: the other had answered"}
              </small>
            </li>
          ))}
        </ol>
      )}
      {HAS_CLIPBOARD ? (
        <button type="button" className="small" onClick={() => void copy(curl)}>
          {copied ? "Copied" : "Copy as curl"}
        </button>
      ) : (
        <pre>{curl}</pre>
      )}
    </div>
  );
}
