import { Fragment, type ReactNode } from "react";
import type { Answer } from "../answers";
import { Guard } from "../guard";
import { milliseconds, shortened } from "../results/format";
import type { UpstreamCall, UpstreamTrace } from "./types";

/** The calls that the last operation of the tab made, or was spared, along one axis of time. */
export function Waterfall({ answer }: { answer: Answer | undefined }) {
  return (
    <section className="waterfall" aria-label="Upstream calls of the last operation">
      <h3>Last run {answer?.operationName && <small>{answer.operationName}</small>}</h3>
      <Guard of={answer}>
        {answer?.upstream ? <Trace trace={answer.upstream} answer={answer} /> : <Nothing answer={answer} />}
      </Guard>
    </section>
  );
}

function Nothing({ answer }: { answer: Answer | undefined }) {
  if (!answer) return <p className="panel-note">Run an operation to see its upstream calls here.</p>;
  if (answer.kind === "subscription") {
    return (
      <p className="panel-note">
        All subscribers of an account share the gateway's own look at the upstream.
      </p>
    );
  }
  return <p className="panel-note">The answer came without a trace.</p>;
}

function Trace({ trace, answer }: { trace: UpstreamTrace; answer: Answer }) {
  return (
    <>
      <dl className="figures">
        <div>
          <dd data-figure="sent">{trace.sent}</dd>
          <dt>{trace.sent === 1 ? "call" : "calls"} sent</dt>
        </div>
        <div>
          <dd className="is-good" data-figure="saved">
            {trace.saved}
          </dd>
          <dt>saved</dt>
        </div>
        <div>
          <dd className="is-faint" data-figure="naive">
            {trace.naive}
          </dd>
          <dt>naive resolvers</dt>
        </div>
        <div>
          <dd className="is-faint">{milliseconds(trace.totalMs)}</dd>
          <dt>in total</dt>
        </div>
      </dl>
      <Comparison sent={trace.sent} naive={trace.naive} />
      <Calls trace={trace} />
      {answer.requestId && (
        <p className="panel-note">
          Request <code>{answer.requestId}</code>
        </p>
      )}
    </>
  );
}

export function Calls({ trace }: { trace: UpstreamTrace }) {
  const end = Math.max(trace.totalMs, ...trace.calls.map((call) => call.startMs + call.durationMs), 0.001);
  return (
    <ol className="calls">
      {trace.calls.map((call, index) => (
        <Call key={index} call={call} end={end} />
      ))}
    </ol>
  );
}

function Comparison({ sent, naive }: { sent: number; naive: number }) {
  const most = Math.max(sent, naive, 1);
  return (
    <div className="comparison" role="img" aria-label={`${sent} calls instead of ${naive}`}>
      <svg viewBox="0 0 100 6" preserveAspectRatio="none">
        <rect className="bar-naive" width={(100 * naive) / most} height="6" rx="1" />
        <rect className="bar-sent" width={(100 * sent) / most} height="6" rx="1" />
      </svg>
    </div>
  );
}

function Call({ call, end }: { call: UpstreamCall; end: number }) {
  const wentOut = call.outcome === "sent" || call.outcome === "hedge";
  const failed = call.status === null ? wentOut && !call.overtaken : call.status >= 400;
  return (
    <li className={`call is-${call.outcome}${failed ? " is-failed" : ""}`}>
      <p className="call-line">
        <span className="method">{call.method}</span>
        <code className="path" title={call.path}>
          {breakable(shortened(call.path))}
        </code>
        <span className="call-status">
          {call.outcome === "hedge" && "sent twice: "}
          {call.overtaken ? "overtaken" : wentOut ? (call.status ?? "no answer") : call.outcome}
          {(call.count ?? 1) > 1 && ` ×${call.count}`}
        </span>
      </p>
      {call.query && (
        <p className="call-query" title={call.query}>
          {call.query.replaceAll("&", "  ")}
        </p>
      )}
      <svg className="call-bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect className="call-track" width="100" height="4" />
        <rect
          className="call-span"
          x={(100 * call.startMs) / end}
          width={Math.max(0.8, (100 * call.durationMs) / end)}
          height="4"
        />
      </svg>
      <p className="call-facts">
        <span className="call-fields">{call.fields.join(", ")}</span>
        <span className="call-time">
          {milliseconds(call.durationMs)} <small>at {milliseconds(call.startMs)}</small>
        </span>
      </p>
    </li>
  );
}

/** A path may break after its slashes. */
function breakable(path: string): ReactNode {
  return path.split(/(?<=\/)/).map((segment, index) => (
    <Fragment key={index}>
      {segment}
      <wbr />
    </Fragment>
  ));
}
