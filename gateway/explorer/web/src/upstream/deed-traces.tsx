import type { Deed } from "../answers";
import { count } from "../results/format";
import { Calls } from "./calls";

/** What was done with the rows since: calls of their own, below those that the rows came from. */
export function DeedTraces({ deeds }: { deeds: Deed[] }) {
  const traced = deeds.flatMap(({ operationName, upstream }) =>
    upstream ? [{ operationName, upstream }] : [],
  );
  if (traced.length === 0) return null;
  return (
    <section className="deed-traces" aria-label="Upstream calls of what was done with its rows">
      <h3>Since then</h3>
      {traced.map(({ operationName, upstream }, index) => (
        <details key={index}>
          <summary>
            {operationName ?? "Operation"} <small>{count(upstream.sent, "call")}</small>
          </summary>
          <Calls trace={upstream} />
        </details>
      ))}
    </section>
  );
}
