import { CallRow } from "./call-row";
import { groupsOf, linesOf } from "./lines";
import type { UpstreamTrace } from "./types";
import "../styles/waterfall.css";

/** One line a call, under the field that asked for it, along one axis of time. */
export function Calls({ trace }: { trace: UpstreamTrace }) {
  const end = Math.max(trace.totalMs, ...trace.calls.map((call) => call.startMs + call.durationMs), 0.001);
  return groupsOf(linesOf(trace.calls)).map((group) => (
    <section key={group.fields} className="call-group" aria-label={group.fields}>
      <h4>
        <code>{group.fields || "the gateway itself"}</code>
        {group.lines.length > 1 && <span className="tally">{group.lines.length}</span>}
      </h4>
      <ol className="calls">
        {group.lines.map((line, index) => (
          <CallRow key={index} line={line} group={group} end={end} />
        ))}
      </ol>
    </section>
  ));
}
