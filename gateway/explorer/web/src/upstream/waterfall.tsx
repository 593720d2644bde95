import type { Answer } from "../answers";
import { Guard } from "../guard";
import { milliseconds } from "../results/format";
import { Calls } from "./calls";
import type { UpstreamTrace } from "./types";

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
