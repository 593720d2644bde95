import type { Answer } from "../answers";
import { range } from "./plan-view";

/** What the last run was planned to cost, beside what it did. */
export function PlannedAndMade({ answer }: { answer: Answer | undefined }) {
  if (!answer?.planned || !answer.upstream) return null;
  const { planned } = answer;
  const made = answer.upstream.sent;
  const most = Math.max(planned.max, made, 1);
  const share = (count: number) => (100 * count) / most;
  return (
    <div className="planned" role="group" aria-label="Planned and made">
      Planned <b>{range(planned)}</b>, made <b>{made.toLocaleString("en")}</b>
      {made > planned.max && " — what failed was tried again, or pages were smaller than foreseen"}
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect className="planned-track" y="2" width="100" height="6" />
        <rect
          className="planned-range"
          x={share(planned.min)}
          y="2"
          width={Math.max(0.5, share(planned.max) - share(planned.min))}
          height="6"
        />
        <rect className="planned-made" x={Math.max(0, share(made) - 0.4)} width="0.8" height="10" />
      </svg>
    </div>
  );
}
