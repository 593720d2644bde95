import { Guard } from "../guard";
import type { Plan, PlanStep, Range } from "./types";
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
  const { writes, reads } = divided(plan);
  return (
    <>
      <dl className="figures">
        {writes > 0 && (
          <div>
            <dd data-figure="writes">{writes.toLocaleString("en")}</dd>
            <dt>{writes === 1 ? "write, sent once" : "writes, each sent once"}</dt>
          </div>
        )}
        {(writes === 0 || reads.max > 0) && (
          <div>
            <dd data-figure="reads">{range(reads)}</dd>
            <dt>
              {writes > 0
                ? `look-up${reads.max === 1 ? "" : "s"}`
                : `upstream call${reads.max === 1 ? "" : "s"}`}
            </dt>
          </div>
        )}
        {writes === 0 && (
          <div>
            <dd className="is-faint">{range(plan.naive)}</dd>
            <dt>without the planner</dt>
          </div>
        )}
        {plan.cost !== undefined && (
          <div>
            <dd className="is-faint">{plan.cost.toLocaleString("en")}</dd>
            <dt>cost</dt>
          </div>
        )}
      </dl>
      {plan.refusals?.map(({ field, input, message }, index) => (
        <p key={index} className="panel-note is-error">
          <code>{[field, ...input].join(".")}</code> would be refused: {message}
        </p>
      ))}
      <ol className="steps">
        {plan.steps.map((step, index) => (
          <li key={index}>
            <p className="step-call">
              <span className="strategy">{step.strategy}</span>
              <code>{step.call}</code>
              <span className="tally">
                {isWrite(step) && "exactly "}
                {range(step)}×
              </span>
            </p>
            <p className="step-field">
              <code>{step.field}</code> {step.reason}
            </p>
            {step.bound && (
              <p className="step-bound">
                At most {step.max.toLocaleString("en")}: {step.bound}
              </p>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

function isWrite(step: PlanStep): boolean {
  return step.strategy === "write";
}

/** How many writes a plan has, and how many other calls. */
export function divided({ steps }: Plan): { writes: number; reads: Range } {
  const sum = (of: PlanStep[], key: "min" | "max") => of.reduce((total, step) => total + step[key], 0);
  const others = steps.filter((step) => !isWrite(step));
  return {
    writes: sum(steps.filter(isWrite), "max"),
    reads: { min: sum(others, "min"), max: sum(others, "max") },
  };
}

export function range({ min, max }: Range): string {
  const [low, high] = [min.toLocaleString("en"), max.toLocaleString("en")];
  return low === high ? low : `${low}–${high}`;
}
