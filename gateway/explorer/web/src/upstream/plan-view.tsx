import { Guard } from "../guard";
import type { Plan, Range } from "./types";
import { usePlanned } from "./use-plan";

/** What the operation in the editor would cost, before it is run. */
export function PlanView() {
  const { plan, note, refused } = usePlanned();
  return (
    <section className="plan" aria-label="Plan of the operation being typed">
      <h3>
        Plan <small>of what is in the editor, before it is run</small>
      </h3>
      {plan ? (
        <Guard of={plan}>
          <Steps plan={plan} />
        </Guard>
      ) : (
        <p className={refused ? "panel-note is-error" : "panel-note"}>{note}</p>
      )}
    </section>
  );
}

function Steps({ plan }: { plan: Plan }) {
  return (
    <>
      <dl className="figures">
        <div>
          <dd>{range(plan.calls)}</dd>
          <dt>upstream {plan.calls.max === 1 ? "call" : "calls"}</dt>
        </div>
        <div>
          <dd className="is-faint">{range(plan.naive)}</dd>
          <dt>without the planner</dt>
        </div>
        {plan.cost !== undefined && (
          <div>
            <dd className="is-faint">{plan.cost.toLocaleString("en")}</dd>
            <dt>cost</dt>
          </div>
        )}
      </dl>
      <ol className="steps">
        {plan.steps.map((step, index) => (
          <li key={index}>
            <p className="step-call">
              <span className="strategy">{step.strategy}</span>
              <code>{step.call}</code>
              <span className="tally">{range(step)}×</span>
            </p>
            <p className="step-field">
              <code>{step.field}</code> {step.reason}
            </p>
          </li>
        ))}
      </ol>
    </>
  );
}

export function range({ min, max }: Range): string {
  const [low, high] = [min.toLocaleString("en"), max.toLocaleString("en")];
  return low === high ? low : `${low}–${high}`;
}
