import type { GraphiQLPlugin } from "@graphiql/react";
import { useAnswerOf, useFrontTab } from "../front-tab";
import { UPSTREAM_TITLE } from "../panels";
import { DeedTraces } from "./deed-traces";
import { PlanView } from "./plan-view";
import { PlannedAndMade } from "./planned-and-made";
import { Waterfall } from "./waterfall";

function UpstreamPanel() {
  const tab = useFrontTab();
  const answer = useAnswerOf(tab);
  const current = answer?.outdated ? undefined : answer;
  return (
    <div className="panel">
      <h2 className="panel-title">Upstream</h2>
      <PlanView />
      <PlannedAndMade answer={current} />
      <Waterfall answer={current} />
      {current && <DeedTraces deeds={current.deeds} />}
    </div>
  );
}

function UpstreamIcon() {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round">
      <path d="M2.5 4.5h7M6 10h8M11 15.5h6.5" />
    </svg>
  );
}

export const UPSTREAM_PLUGIN: GraphiQLPlugin = {
  title: UPSTREAM_TITLE,
  icon: UpstreamIcon,
  content: UpstreamPanel,
};
